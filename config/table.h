/*
 * Private to config/: tables of keys.  A table says how a group of the file is
 * read into a struct.  It has one line for each key: how to read it, where it
 * goes, what it may be.  A key without a line is an error.
 */

#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <libconfig.h>

#include "config/conf.h"

struct conf_reader {
	struct conf *conf; /* filled in by the tables */
	struct ht_error *e;
};

struct conf_field;

/*
 * Read setting s into the struct at out, as f says.  Returns 0, or a negative
 * HT_ERR_* with r->e.
 */
typedef int conf_read_fn(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out);

/* A word of the file, and its value. */
struct conf_word {
	const char *word; /* NULL ends a list of words */
	unsigned int value;
};

/* What a group is read into. */
struct conf_section {
	const struct conf_field *fields; /* ended with a NULL key */
	size_t size;                     /* of the struct */
	void (*defaults)(void *out);     /* fills a zeroed struct; or NULL */
	conf_read_fn *check; /* called last, with NULL for f; or NULL */
};

struct conf_field {
	const char *key;
	conf_read_fn *read;
	size_t offset;       /* in the struct */
	size_t count_offset; /* of the size_t that counts a list */
	bool required;
	unsigned int min; /* of a number */
	unsigned int max;
	const struct conf_word *words;
	const struct conf_section *section;
};

/*
 * Zeroed memory for n elements of size bytes each.  conf_free(r->conf) frees
 * it.  NULL with r->e (HT_ERR_INTERNAL) if there is none.
 */
void *conf_alloc(struct conf_reader *r, size_t n, size_t size);

/*
 * Set r->e to HT_ERR_USAGE and "FILE:LINE: TEXT", where LINE is that of s and
 * TEXT is formatted.  Returns HT_ERR_USAGE.
 */
int conf_mistake(struct conf_reader *r, const config_setting_t *s,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Put "FILE:LINE: " before the text of *e.  line is one of the whole text of c,
 * FILE and LINE are where it was read from.  Returns e->code.
 */
int conf_line(const struct conf *c, unsigned int line, struct ht_error *e);

/*
 * The text of a string setting: 1 to 1024 bytes of printable UTF-8.  Owned by
 * r->conf.  NULL with r->e on error.
 */
const char *conf_string(struct conf_reader *r, const config_setting_t *s);

/*
 * Set out, which is zeroed, to the defaults of section, then read group s into
 * it.  Returns 0, or a negative HT_ERR_* with r->e.
 */
int conf_section_read(struct conf_reader *r, const config_setting_t *s,
    const struct conf_section *section, void *out);

/*
 * Readers for tables.  Each fills in one field of the type named, and a list
 * its count as well.
 */
conf_read_fn conf_read_bool;   /* bool */
conf_read_fn conf_read_number; /* unsigned int, min to max */
conf_read_fn conf_read_size;   /* uint64_t: bytes, or text like "2G" */
conf_read_fn conf_read_text;   /* const char *: printable UTF-8, not empty */
conf_read_fn conf_read_path;   /* const char *: absolute */
conf_read_fn conf_read_http;   /* const char *: an http(s):// URL */
conf_read_fn conf_read_name;   /* const char *: names_valid */
conf_read_fn conf_read_word;   /* an enum: one of words */
conf_read_fn conf_read_flags;  /* unsigned int: the sum of a list of words */
conf_read_fn conf_read_paths;  /* const char *const *: absolute paths */
conf_read_fn conf_read_group;  /* the struct of section, in place */
conf_read_fn conf_read_list;   /* const struct *: a list of groups.  Each
                                  struct begins with its name (const char *),
                                  unique in the list */
conf_read_fn conf_read_later;  /* always fails: the key is not built yet */

/*
 * How many elements an array or list has, at most CONF_LIST_MAX.  -1 with r->e
 * on error.
 */
int conf_length(struct conf_reader *r, const config_setting_t *s);

/* Sections that stand in a file of their own. */
extern const struct conf_section conf_ssh_section;
extern const struct conf_section conf_token_section;
extern const struct conf_section conf_certificate_section;
extern const struct conf_section conf_server_section;
extern const struct conf_section conf_profile_section;
extern const struct conf_section conf_rates_section;

/*
 * The keys of a struct conf_rates that is at base, in the struct of the table:
 * those that clients, profiles and tokens have.
 */
#define CONF_RATE(base, rate, reader)                                          \
	.key = #rate, .read = (reader),                                        \
	.offset = (base) + offsetof(struct conf_rates, rate), .min = 1,        \
	.max = CONF_RATE_MAX
#define CONF_RATES(base)                                                       \
	{ CONF_RATE(base, requests_minute, conf_read_number) },                \
	    { CONF_RATE(base, requests_day, conf_read_number) },               \
	    { CONF_RATE(base, requests_at_once, conf_read_number) },           \
	{                                                                      \
		CONF_RATE(base, bytes_day, conf_read_size)                     \
	}

#endif
