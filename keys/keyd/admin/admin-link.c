#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/admin/admin-link.h"
#include "keys/keyd/admin/verbs.h"
#include "keys/keyd/failures.h"
#include "keys/keyd/greet.h"
#include "keys/keyd/quota.h"

struct admin_link {
	struct keyd_connection c; /* first, for the callbacks */
	bool bound;
	struct identity who;
	uint32_t tag;
	struct verbs_command command; /* while one runs */
	char line[MSG_MAX];           /* the command's words */
};

static void
hello(struct admin_link *a, const struct msg *m,
    const struct protocol_hello *hello)
{
	struct protocol_welcome w;

	if (greet_shell(&a->c, m->tag, hello, a->bound, &a->who, &w) == 0)
		keyd_say(&a->c, PROTOCOL_WELCOME, m->tag, &w, NULL, 0);
}

/* Split words into C strings in a->line; those with -- are options. */
static int
split(struct admin_link *a, struct cursor words, struct ht_error *e)
{
	struct verbs_command *command = &a->command;
	char *at = a->line;
	size_t left = sizeof(a->line);

	while (words.left > 0) {
		if (cursor_text(&words, at, left) < 0 ||
		    command->nwords == VERBS_WORDS ||
		    command->noptions == VERBS_WORDS)
			return ht_error_set(e, HT_ERR_USAGE,
			    "too many words, or too long ones");
		if (strncmp(at, "--", 2) == 0)
			command->options[command->noptions++] = at + 2;
		else
			command->words[command->nwords++] = at;
		left -= strlen(at) + 1;
		at += strlen(at) + 1;
	}
	return 0;
}

/* Send a file, of which what follows is the recipe. */
static void
say_file(struct admin_link *a)
{
	const struct verbs_command *c = &a->command;
	const struct protocol_file file = { c->size,
		cursor_over(c->sha256, sizeof(c->sha256)),
		(uint32_t)c->out.len };

	keyd_say(&a->c, PROTOCOL_FILE, a->tag, &file, &c->fd, 1);
}

static void
forget_file(struct admin_link *a)
{
	if (a->command.fd >= 0)
		(void)close(a->command.fd);
	if (a->command.reader >= 0)
		(void)close(a->command.reader);
	a->command.fd = a->command.reader = -1;
}

/* Send where the answer is read. */
static void
pass_on(struct admin_link *a)
{
	keyd_say(&a->c, PROTOCOL_READER, a->tag, NULL, &a->command.reader, 1);
	forget_file(a);
	ht_wipe(a->line, sizeof(a->line));
}

/* Send what a command printed, and its status. */
static void
finish(struct admin_link *a, int rc, const struct ht_error *e)
{
	struct cursor out = buf_cursor(&a->command.out);
	struct protocol_print print;
	struct protocol_done done;
	size_t n;

	if (rc == 0 && buf_failed(&a->command.out) < 0)
		rc = HT_ERR_INTERNAL;
	if (rc == 0 && a->command.fd >= 0)
		say_file(a);
	forget_file(a);
	while (rc == 0 && out.left > 0) {
		n = out.left < PROTOCOL_PART_MAX ? out.left : PROTOCOL_PART_MAX;
		(void)cursor_bytes(&out, n, &print.bytes);
		keyd_say(&a->c, PROTOCOL_PRINT, a->tag, &print, NULL, 0);
	}
	memset(&done, 0, sizeof(done));
	done.status = (uint32_t)-rc;
	(void)snprintf(done.text, sizeof(done.text), "%s",
	    rc < 0 ? e->text : a->command.text);
	keyd_say(&a->c, PROTOCOL_DONE, a->tag, &done, NULL, 0);
	buf_free(&a->command.out);
	ht_wipe(a->line, sizeof(a->line));
}

/* A verb that returned VERBS_LATER has ended. */
static void
later(void *cookie, const struct ht_error *e)
{
	finish(cookie, e == NULL ? 0 : e->code, e);
}

/* Check that a may still give commands: its connection may be old. */
static int
check_current(struct admin_link *a, struct ht_error *e)
{
	struct protocol_refuse no;

	if (identity_current(a->c.keyd, &a->who, &no) < 0 ||
	    identity_stands(a->c.keyd, &a->who, &no) < 0)
		return ht_error_set(e, -(int)no.status, "%s", no.text);
	return 0;
}

/* The writer for quota.h: administrators have shares apart from clients. */
static const char *
writer(const struct admin_link *a, char out[NAMES_PRINCIPAL_SIZE])
{
	(void)snprintf(out, NAMES_PRINCIPAL_SIZE, "admin:%s", a->who.name);
	return out;
}

static int
check_quota(struct admin_link *a, struct ht_error *e)
{
	char name[NAMES_PRINCIPAL_SIZE];
	uint32_t wait = quota_wait(a->c.keyd->quota, writer(a, name));

	if (wait > 0)
		return ht_error_set(e, HT_ERR_TEMPORARY,
		    "too many commands: wait %u seconds", (unsigned int)wait);
	return 0;
}

static void
charge(struct admin_link *a, uint64_t before)
{
	char name[NAMES_PRINCIPAL_SIZE];
	struct keyd *k = a->c.keyd;

	quota_charge(k->quota, writer(a, name), 1,
	    store_written(k->store) - before);
}

static void
record_refusal(struct admin_link *a, const struct ht_error *why)
{
	struct store_actor actor = identity_actor(&a->who);
	struct keyd *k = a->c.keyd;
	struct protocol_refuse no;
	struct ht_error e;

	keyd_refusal(&no, why->code, "", "%s", why->text);
	keyd_must(k,
	    failures_command(k->failures, &a->who, actor.role, &no, &e), &e);
}

static void
command(struct admin_link *a, struct msg *m,
    const struct protocol_command *said)
{
	struct verbs_command *command = &a->command;
	uint64_t before = store_written(a->c.keyd->store);
	struct ht_error e;
	int rc;

	memset(command, 0, sizeof(*command));
	command->out.limit = VERBS_OUTPUT;
	command->fd = command->reader = -1;
	ht_error_clear(&e);
	a->tag = m->tag;
	command->keyd = a->c.keyd;
	command->who = &a->who;
	command->input = said->input;
	command->later = later;
	command->cookie = a;
	rc = check_current(a, &e);
	if (rc == 0)
		rc = check_quota(a, &e);
	if (rc == 0)
		rc = split(a, said->words, &e);
	if (rc == 0)
		rc = verbs_run(command, &e);
	msg_wipe(m);
	if (rc == HT_ERR_DENIED)
		record_refusal(a, &e);
	charge(a, before);
	command->input = cursor_over(NULL, 0);
	if (rc == 0 && command->reader >= 0)
		pass_on(a);
	else if (rc != VERBS_LATER)
		finish(a, rc, &e);
}

static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	struct admin_link *a = (struct admin_link *)c;

	if (m->type == PROTOCOL_HELLO)
		hello(a, m, &body->hello);
	else
		command(a, m, &body->command);
}

static void
gone(struct keyd_connection *c)
{
	struct admin_link *a = (struct admin_link *)c;

	verbs_forget(c->keyd, a);
	buf_free(&a->command.out);
	ht_wipe(a->line, sizeof(a->line));
	free(a);
}

int
admin_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e)
{
	struct admin_link *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	a->c.receive = receive;
	a->c.gone = gone;
	if (who != NULL) {
		a->bound = true;
		a->who = *who;
	}
	rc = keyd_connection_add(k, &a->c, fd, PROTOCOL_LINK_ADMIN, e);
	if (rc < 0)
		free(a);
	return rc;
}
