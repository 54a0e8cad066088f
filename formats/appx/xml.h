/*
 * The part of XML 1.0 that the parts of an APPX package need: the start tags in
 * order, with depth and attributes.  UTF-8 only.  A document type declaration
 * is refused, because it could change the meaning of names.  End tags are not
 * compared with their start tags.
 */

#ifndef FORMATS_APPX_XML_H
#define FORMATS_APPX_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Called when fewer than XML_MARKUP_MAX bytes are left of a document that is
 * not in memory as a whole: make *rest begin where it does, and longer.
 * *more is whether there is more after it.
 */
typedef int xml_fill_fn(void *cookie, struct cursor *rest, bool *more,
    struct ht_error *e);

/* The longest tag or comment of such a document. */
#define XML_MARKUP_MAX ((size_t)64 << 10)

struct xml {
	const char *part;  /* the part's name, for messages */
	xml_fill_fn *fill; /* NULL if rest has all that is left */
	void *cookie;      /* fill's */
	uint64_t before;   /* bytes of the document before start */
	const uint8_t *start;
	struct cursor rest;
	unsigned int depth; /* of the next start tag */
	bool has_root;
	size_t root_end; /* offset of the root's end tag, once it is read */
};

struct xml_tag {
	struct cursor prefix;     /* of the name, without its colon */
	struct cursor name;       /* without the prefix */
	struct cursor attributes; /* from the name to the end of the tag */
	unsigned int depth;       /* 0 is the root */
};

/*
 * Start reading n bytes at p.  part and p are borrowed.  If they are only the
 * start of the document, the caller sets fill and cookie then.  HT_ERR_DATA if
 * a NUL is in the bytes, as in UTF-16.
 */
int xml_open(struct xml *xml, const char *part, const void *p, size_t n,
    struct ht_error *e);

/*
 * Read the next start tag; *more is false at the end.  tag points into the
 * bytes, and is valid until the next call.  HT_ERR_DATA if the XML is not
 * well-formed, as far as this is checked, or as fill.
 */
int xml_next(struct xml *xml, struct xml_tag *tag, bool *more,
    struct ht_error *e);

/*
 * Skip the rest of the element of tag, which must be the last that xml_next
 * read.  The element is from offset *start up to *end.  Errors as xml_next.
 */
int xml_skip(struct xml *xml, const struct xml_tag *tag, size_t *start,
    size_t *end, struct ht_error *e);

/*
 * Append the value of an attribute without a prefix to out, with references
 * replaced.  *found tells whether there is one.  HT_ERR_DATA if the tag is
 * damaged or has two of that name.  HT_ERR_INTERNAL without memory.
 */
int xml_attribute(const struct xml *xml, const struct xml_tag *tag,
    const char *name, struct buf *out, bool *found, struct ht_error *e);

#endif
