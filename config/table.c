#include "config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/table.h"
#include "lib/log.h"

/* The longest text, in bytes.  A text is one line on a screen, or a path. */
#define TEXT_MAX 1024

_Static_assert(sizeof(enum conf_digest) == sizeof(unsigned int),
    "words are stored as unsigned int");

struct conf_memory {
	struct conf_memory *next;
	size_t size; /* of data, in bytes */
	unsigned int
	    line; /* of the setting that the text in data is of, or 0 */
	max_align_t data[];
};

void *
conf_alloc(struct conf_reader *r, size_t n, size_t size)
{
	struct conf_memory *m = NULL;

	if (size == 0 || n <= (SIZE_MAX - sizeof(*m)) / size)
		m = calloc(1, sizeof(*m) + n * size);
	if (m == NULL) {
		(void)ht_error_memory(r->e);
		return NULL;
	}
	m->size = n * size;
	m->next = r->conf->memory;
	r->conf->memory = m;
	return m->data;
}

void
conf_free(struct conf *c)
{
	struct conf_memory *m;

	if (c == NULL)
		return;
	while ((m = c->memory) != NULL) {
		c->memory = m->next;
		free(m);
	}
	free(c);
}

int
conf_mistake(struct conf_reader *r, const config_setting_t *s, const char *fmt,
    ...)
{
	char text[sizeof(r->e->text)];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	(void)ht_error_set(r->e, HT_ERR_USAGE, "%s", text);
	return conf_line(r->conf, config_setting_source_line(s), r->e);
}

int
conf_line(const struct conf *c, unsigned int line, struct ht_error *e)
{
	const struct conf_source *s = c->sources + c->nsources - 1;
	struct ht_error why = *e;

	if (line == 0)
		line = 1;
	while (s > c->sources && s->first > line)
		s--;
	return ht_error_set(e, why.code, "%s:%u: %s", s->path,
	    line - s->first + s->line, why.text);
}

int
conf_at(const struct conf *c, const char *text, struct ht_error *e)
{
	uintptr_t at = (uintptr_t)text, start;
	const struct conf_memory *m;

	for (m = c->memory; m != NULL; m = m->next) {
		start = (uintptr_t)m->data;
		if (m->line > 0 && at >= start && at - start < m->size)
			break;
	}
	return conf_line(c, m != NULL ? m->line : 1, e);
}

/* The key of s, or of the list that s is in, for messages. */
static const char *
key_of(const config_setting_t *s)
{
	while (config_setting_name(s) == NULL && !config_setting_is_root(s))
		s = config_setting_parent(s);
	return config_setting_is_root(s) ? "the file" : config_setting_name(s);
}

/* Whether log_escape would only double the backslashes. */
static bool
is_printable(const char *s, size_t n)
{
	char shown[TEXT_MAX * 4 + 1];
	size_t i, backslashes = 0;

	for (i = 0; i < n; i++)
		backslashes += s[i] == '\\';
	return log_escape(shown, sizeof(shown), s, n) == n + backslashes;
}

const char *
conf_string(struct conf_reader *r, const config_setting_t *s)
{
	const char *text;
	char *copy;
	size_t n;

	if (config_setting_type(s) != CONFIG_TYPE_STRING) {
		(void)conf_mistake(r, s, "%s must be text in quotes",
		    key_of(s));
		return NULL;
	}
	text = config_setting_get_string(s);
	n = strlen(text);
	if (n == 0 || n > TEXT_MAX || !is_printable(text, n)) {
		(void)conf_mistake(r, s,
		    "%s must be 1 to %d bytes of printable UTF-8", key_of(s),
		    TEXT_MAX);
		return NULL;
	}
	copy = conf_alloc(r, n + 1, 1);
	if (copy != NULL) {
		memcpy(copy, text, n);
		r->conf->memory->line = config_setting_source_line(s);
	}
	return copy;
}

/* Set the field at an offset, whatever its type. */
static void
put(void *out, size_t offset, const void *value, size_t size)
{
	memcpy((char *)out + offset, value, size);
}

static const struct conf_field *
find_field(const struct conf_section *section, const char *key)
{
	const struct conf_field *f;

	for (f = section->fields; f->key != NULL; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

static int
check_keys(struct conf_reader *r, const config_setting_t *s,
    const struct conf_section *section)
{
	const config_setting_t *member;
	int i;

	for (i = 0; i < config_setting_length(s); i++) {
		member = config_setting_get_elem(s, (unsigned int)i);
		if (find_field(section, config_setting_name(member)) == NULL)
			return conf_mistake(r, member, "unknown key %s",
			    config_setting_name(member));
	}
	return 0;
}

int
conf_section_read(struct conf_reader *r, const config_setting_t *s,
    const struct conf_section *section, void *out)
{
	const struct conf_field *f;
	const config_setting_t *member;
	int ret;

	if (!config_setting_is_group(s))
		return conf_mistake(r, s, "%s must be a group { … }",
		    key_of(s));
	if ((ret = check_keys(r, s, section)) < 0)
		return ret;
	if (section->defaults != NULL)
		section->defaults(out);
	for (f = section->fields; f->key != NULL; f++) {
		member = config_setting_get_member(s, f->key);
		if (member == NULL && f->required)
			return conf_mistake(r, s, "%s needs %s", key_of(s),
			    f->key);
		if (member == NULL)
			continue;
		if ((ret = f->read(r, member, f, out)) < 0)
			return ret;
	}
	return section->check != NULL ? section->check(r, s, NULL, out) : 0;
}

int
conf_read_bool(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	bool value;

	if (config_setting_type(s) != CONFIG_TYPE_BOOL)
		return conf_mistake(r, s, "%s must be true or false", f->key);
	value = config_setting_get_bool(s) == CONFIG_TRUE;
	put(out, f->offset, &value, sizeof(value));
	return 0;
}

/* A setting that is a whole number, or -1. */
static long long
whole_number(const config_setting_t *s)
{
	long long value = -1;

	if (config_setting_type(s) == CONFIG_TYPE_INT)
		value = config_setting_get_int(s);
	else if (config_setting_type(s) == CONFIG_TYPE_INT64)
		value = config_setting_get_int64(s);
	return value < 0 ? -1 : value;
}

int
conf_read_number(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	long long number = whole_number(s);
	unsigned int value;

	if (number < f->min || number > f->max)
		return conf_mistake(r, s, "%s must be a number from %u to %u",
		    f->key, f->min, f->max);
	value = (unsigned int)number;
	put(out, f->offset, &value, sizeof(value));
	return 0;
}

/* Bytes as digits, then K, M, G or nothing.  -1 if malformed or too large. */
static long long
parse_size(const char *text)
{
	static const struct {
		const char *suffix;
		unsigned int shift;
	} units[] = { { "", 0 }, { "K", 10 }, { "M", 20 }, { "G", 30 } };
	size_t digits = strspn(text, "0123456789");
	long long value;
	size_t i;

	if (digits < 1 || digits > 12)
		return -1;
	value = strtoll(text, NULL, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].suffix) == 0 &&
		    value <= LLONG_MAX >> units[i].shift)
			return value << units[i].shift;
	}
	return -1;
}

int
conf_read_size(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	long long number;
	uint64_t value;

	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		number = parse_size(config_setting_get_string(s));
	else
		number = whole_number(s);
	if (number < 1 || (uint64_t)number > CONF_MAX_SIZE)
		return conf_mistake(r, s,
		    "%s must be a number of bytes, or text like \"512M\" or "
		    "\"2G\", at most \"1024G\"",
		    f->key);
	value = (uint64_t)number;
	put(out, f->offset, &value, sizeof(value));
	return 0;
}

int
conf_read_text(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const char *text = conf_string(r, s);

	if (text == NULL)
		return r->e->code;
	put(out, f->offset, &text, sizeof(text));
	return 0;
}

int
conf_read_path(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const char *path = conf_string(r, s);

	if (path == NULL)
		return r->e->code;
	if (path[0] != '/')
		return conf_mistake(r, s, "%s must be an absolute path",
		    f->key);
	put(out, f->offset, &path, sizeof(path));
	return 0;
}

int
conf_read_name(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const char *name = conf_string(r, s);

	if (name == NULL)
		return r->e->code;
	if (!names_valid(name))
		return conf_mistake(r, s,
		    "a name is 1 to %d of a-z, 0-9, '.', '_' and '-', and "
		    "starts with a letter or digit",
		    NAMES_MAX);
	put(out, f->offset, &name, sizeof(name));
	return 0;
}

static int
find_word(struct conf_reader *r, const config_setting_t *s,
    const struct conf_word *words, unsigned int *value)
{
	const char *text = conf_string(r, s);
	char known[128] = "";
	size_t used = 0;
	const struct conf_word *w;

	if (text == NULL)
		return r->e->code;
	for (w = words; w->word != NULL; w++) {
		if (strcmp(w->word, text) == 0) {
			*value = w->value;
			return 0;
		}
		if (used < sizeof(known))
			used +=
			    (size_t)snprintf(known + used, sizeof(known) - used,
			        "%s\"%s\"", used > 0 ? ", " : "", w->word);
	}
	return conf_mistake(r, s, "%s can be %s", key_of(s), known);
}

int
conf_read_word(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	unsigned int value;
	int ret = find_word(r, s, f->words, &value);

	if (ret == 0)
		put(out, f->offset, &value, sizeof(value));
	return ret;
}

int
conf_length(struct conf_reader *r, const config_setting_t *s)
{
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		(void)conf_mistake(r, s, "%s must be a list", key_of(s));
		return -1;
	}
	if (config_setting_length(s) > CONF_LIST_MAX) {
		(void)conf_mistake(r, s, "%s has more than %d elements",
		    key_of(s), CONF_LIST_MAX);
		return -1;
	}
	return config_setting_length(s);
}

int
conf_read_flags(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	unsigned int value, sum = 0;
	int i, ret, n = conf_length(r, s);

	if (n < 0)
		return r->e->code;
	for (i = 0; i < n; i++) {
		ret = find_word(r, config_setting_get_elem(s, (unsigned int)i),
		    f->words, &value);
		if (ret < 0)
			return ret;
		sum |= value;
	}
	if (sum == 0)
		return conf_mistake(r, s, "%s must name one or more", f->key);
	put(out, f->offset, &sum, sizeof(sum));
	return 0;
}

int
conf_read_paths(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	struct conf_field element = { .key = f->key };
	int i, ret, n = conf_length(r, s);
	size_t count = (size_t)n;
	const char **paths;

	if (n < 0 || (paths = conf_alloc(r, count, sizeof(*paths))) == NULL)
		return r->e->code;
	for (i = 0; i < n; i++) {
		ret = conf_read_path(r,
		    config_setting_get_elem(s, (unsigned int)i), &element,
		    &paths[i]);
		if (ret < 0)
			return ret;
	}
	put(out, f->offset, &paths, sizeof(paths));
	put(out, f->count_offset, &count, sizeof(count));
	return 0;
}

int
conf_read_group(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	return conf_section_read(r, s, f->section, (char *)out + f->offset);
}

/* The name at the start of an element of a list. */
static const char *
name_of(const char *element)
{
	const char *name;

	memcpy(&name, element, sizeof(name));
	return name;
}

int
conf_read_list(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	size_t size = f->section->size;
	int n = conf_length(r, s);
	size_t i, j, count = (size_t)n;
	const config_setting_t *group;
	char *list;
	int ret;

	if (n < 0 || (list = conf_alloc(r, count, size)) == NULL)
		return r->e->code;
	for (i = 0; i < count; i++) {
		group = config_setting_get_elem(s, (unsigned int)i);
		ret = conf_section_read(r, group, f->section, list + i * size);
		if (ret < 0)
			return ret;
		for (j = 0; j < i; j++) {
			if (strcmp(name_of(list + i * size),
			        name_of(list + j * size)) == 0)
				return conf_mistake(r, group,
				    "%s has \"%s\" twice", f->key,
				    name_of(list + i * size));
		}
	}
	put(out, f->offset, &list, sizeof(list));
	put(out, f->count_offset, &count, sizeof(count));
	return 0;
}

int
conf_read_later(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	(void)out;
	return conf_mistake(r, s, "%s is not built yet", f->key);
}
