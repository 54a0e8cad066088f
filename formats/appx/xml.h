/*
 * As much of XML 1.0 as the parts of an APPX package need: the start tags in
 * order, their depth, their attributes.  UTF-8 only; a document type
 * declaration, which could give names other meanings, is refused.  Whether end
 * tags fit their start tags is not looked at.
 */

#ifndef FORMATS_APPX_XML_H
#define FORMATS_APPX_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

struct xml {
	const char *part; /* whose, for messages */
	const uint8_t *start;
	struct cursor rest;
	unsigned int depth; /* of the next start tag */
	bool has_root;
	size_t root_end; /* offset of the root's end tag, once it was read */
};

struct xml_tag {
	struct cursor prefix;     /* of the name, without its colon */
	struct cursor name;       /* behind any prefix */
	struct cursor attributes; /* from the name to the end of the tag */
	unsigned int depth;       /* 0 is the root */
};

/*
 * Start over n bytes at p, which must stay.  HT_ERR_DATA if they are not UTF-8.
 */
int xml_open(struct xml *xml, const char *part, const void *p, size_t n,
    struct ht_error *e);

/*
 * The next start tag; *more is false at the end.  HT_ERR_DATA for what is not
 * well-formed, as far as that is looked at.
 */
int xml_next(struct xml *xml, struct xml_tag *tag, bool *more,
    struct ht_error *e);

/*
 * Behind the whole element whose start tag was the last that xml_next read:
 * from *start it goes up to *end, as offsets.  Errors as there.
 */
int xml_skip(struct xml *xml, const struct xml_tag *tag, size_t *start,
    size_t *end, struct ht_error *e);

/*
 * Append the value of an attribute (no prefix) to out, references replaced;
 * *found is whether there is one.  HT_ERR_DATA if the tag is damaged or has two
 * of that name, HT_ERR_INTERNAL without memory.
 */
int xml_attribute(const struct xml *xml, const struct xml_tag *tag,
    const char *name, struct buf *out, bool *found, struct ht_error *e);

#endif
