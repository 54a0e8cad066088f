/*
 * Private to config/: tables of keys.  A group of the file is read into a
 * struct by a table that has one line for each key: how to read it, where it
 * goes, what it may be.  A key without a line is an error.
 */

#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <libconfig.h>

#include "config/conf.h"

struct conf_reader {
	struct conf *conf; /* what is being made */
	struct ht_error *e;
};

struct conf_field;

/*
 * Reads setting s as f says into the struct at out.  0, or a negative HT_ERR_*
 * with r->e.
 */
typedef int conf_read_fn(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out);

/* What a word of the file means. */
struct conf_word {
	const char *word; /* NULL ends a list of words */
	unsigned int value;
};

/* What a group is read into. */
struct conf_section {
	const struct conf_field *fields; /* ended with a NULL key */
	size_t size;                     /* of the struct */
	void (*defaults)(void *out);     /* of a zeroed struct; or NULL */
	conf_read_fn *check; /* when all is read, f is NULL; or NULL */
};

struct conf_field {
	const char *key;
	conf_read_fn *read;
	size_t offset;       /* in the struct */
	size_t count_offset; /* of the size_t that goes with a list */
	bool required;
	unsigned int min; /* of a number */
	unsigned int max;
	const struct conf_word *words;
	const struct conf_section *section;
};

/*
 * Zeroed memory for n things of size bytes, which lives as long as r->conf.
 * NULL with r->e if there is none.
 */
void *conf_alloc(struct conf_reader *r, size_t n, size_t size);

/*
 * "FILE:LINE: " with the line of s, and the formatted text: HT_ERR_USAGE.
 */
int conf_mistake(struct conf_reader *r, const config_setting_t *s,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * The key that s stands under, for messages.
 */
const char *conf_key(const config_setting_t *s);

/*
 * The printable text of a string setting, in the configuration's memory, or
 * NULL with r->e.
 */
const char *conf_string(struct conf_reader *r, const config_setting_t *s);

/*
 * Read group s as section says into out, over its defaults.
 */
int conf_section_read(struct conf_reader *r, const config_setting_t *s,
    const struct conf_section *section, void *out);

/*
 * Readers for tables.  Unless they say otherwise what they fill in is one
 * field of the type named.
 */
conf_read_fn conf_read_bool;   /* bool */
conf_read_fn conf_read_number; /* unsigned int, min to max */
conf_read_fn conf_read_size;   /* uint64_t: bytes, or text like "2G" */
conf_read_fn conf_read_text;   /* const char *: printable UTF-8, not empty */
conf_read_fn conf_read_path;   /* const char *: absolute */
conf_read_fn conf_read_name;   /* const char *: names_valid */
conf_read_fn conf_read_word;   /* an enum: one of words */
conf_read_fn conf_read_flags;  /* unsigned int: the sum of a list of words */
conf_read_fn conf_read_paths;  /* const char *const *, and its count */
conf_read_fn conf_read_group;  /* the struct of section, in place */
conf_read_fn conf_read_list;   /* const struct *, and its count: a list of
                                  groups.  The struct begins with its name
                                  (const char *), unique in the list */
conf_read_fn conf_read_later;  /* nothing: the key is not built yet */

/*
 * The elements of an array or list: how many, at most CONF_LIST_MAX, or -1 with
 * r->e.
 */
int conf_length(struct conf_reader *r, const config_setting_t *s);

/* Sections that stand in a file of their own. */
extern const struct conf_section conf_ssh_section;
extern const struct conf_section conf_token_section;
extern const struct conf_section conf_certificate_section;
extern const struct conf_section conf_profile_section;

#endif
