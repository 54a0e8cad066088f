#include "config.h"

#include <sys/types.h>

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "htsign/each.h"
#include "htsign/file.h"
#include "lib/log.h"

struct run {
	const struct htsign_arguments *a;
	const struct each *each;
	bool list; /* a line for each file */
	uint64_t counts[VERDICT_KINDS];
	uint64_t others; /* no files, or of no known format */
	int rc;          /* the first file's that failed */
};

/* --- saying it ------------------------------------------------------------ */

static int
write_out(const struct buf *out, struct ht_error *e)
{
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	if (out->len > 0 && fwrite(out->data, 1, out->len, stdout) != out->len)
		return ht_error_errno(e, "cannot write what was found");
	return 0;
}

static int
write_line(const char *word, const char *path, const char *text,
    struct ht_error *e)
{
	struct buf line = BUF_INIT;
	char name[4 * PATH_MAX];
	char said[4096];
	int rc;

	(void)log_escape(name, sizeof(name), path, strlen(path));
	(void)log_escape(said, sizeof(said), text, strlen(text));
	buf_format(&line, "%-8s  %s: %s\n", word, name, said);
	rc = write_out(&line, e);
	buf_free(&line);
	return rc;
}

/*
 * The error's text without the name of the file, which the line has already.
 */
static const char *
without_name(const struct ht_error *why, const char *path)
{
	size_t n = strlen(path);

	return strncmp(why->text, path, n) == 0 &&
	        strncmp(why->text + n, ": ", 2) == 0
	    ? why->text + n + 2
	    : why->text;
}

/*
 * Write and count the line of a file.  rc and *why are what became of it.
 */
static int
say(struct run *run, const char *path, struct verdict *verdict, int rc,
    const struct ht_error *why, struct ht_error *e)
{
	struct report *report = &verdict->report;

	run->counts[verdict->kind]++;
	if (run->rc == 0)
		run->rc = rc;
	if (rc < 0 && !run->a->json)
		return write_line(run->each->words[verdict->kind], path,
		    without_name(why, path), e);
	if (!run->a->json)
		return buf_failed(&verdict->line) < 0
		    ? ht_error_memory(e)
		    : write_line(run->each->words[verdict->kind], path,
		          (const char *)verdict->line.data, e);
	if (verdict->kind == VERDICT_UNREAD) {
		report_error(report, why);
		report_problems(report);
	}
	report_close(report, '}');
	buf_u8(&report->out, '\n');
	return write_out(&report->out, e);
}

/*
 * Write the report of the only file.  Returns rc, which became of it.
 */
static int
say_in_full(const struct run *run, struct verdict *verdict, int rc,
    struct ht_error *e)
{
	struct report *report = &verdict->report;
	struct ht_error unsaid;

	if (verdict->kind == VERDICT_UNREAD)
		return rc;
	report_close(report, '}');
	if (run->a->json)
		buf_u8(&report->out, '\n');
	if (write_out(&report->out, &unsaid) < 0)
		return ht_error_set(e, unsaid.code, "%s", unsaid.text);
	return rc;
}

static void
summarize(const struct run *run, char *text, size_t size)
{
	size_t kind = VERDICT_KINDS;
	size_t n = 0;

	while (kind-- > 0)
		n += (size_t)snprintf(text + n, size - n, "%s%llu %s",
		    n > 0 ? ", " : "", (unsigned long long)run->counts[kind],
		    run->each->words[kind]);
	if (run->a->recursive)
		(void)snprintf(text + n, size - n,
		    "; %llu other files and links",
		    (unsigned long long)run->others);
}

/* --- one file ------------------------------------------------------------- */

/*
 * Whether the error is not the file's.
 */
static bool
ends_all(int rc)
{
	return rc == HT_ERR_INTERNAL || rc == HT_ERR_UNAVAILABLE;
}

static int
look_at(struct run *run, const char *path, struct ht_error *e)
{
	const struct htsign_arguments *a = run->a;
	struct verdict verdict = { .report = { .json = a->json } };
	bool is_stdin = strcmp(path, "-") == 0;
	struct subject subject;
	struct ht_error why;
	int rc;

	ht_error_clear(&why);
	rc = is_stdin ? subject_stdin(a->name, &subject, &why)
	              : subject_find(path, &subject, &why);
	if (rc == 0 && subject.format == NULL && a->recursive) {
		run->others++;
		goto out;
	}
	if (rc == 0 && subject.format == NULL)
		rc = format_detect(subject.in, is_stdin ? a->name : path,
		    &subject.format, &why);
	report_open(&verdict.report, NULL, '{');
	if (a->json && run->list)
		report_text(&verdict.report, NULL, "file", path);
	if (rc == 0)
		rc = run->each->look(run->each->context, &subject, &verdict,
		    &why);
	if (!run->list) {
		*e = why;
		rc = say_in_full(run, &verdict, rc, e);
	} else if (ends_all(rc)) {
		rc = ht_error_set(e, rc, "%s: %s", path, why.text);
	} else {
		rc = say(run, path, &verdict, rc, &why, e);
	}
out:
	subject_close(&subject);
	buf_free(&verdict.line);
	report_clear(&verdict.report);
	return rc;
}

/* --- all files ------------------------------------------------------------ */

static int
compare(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int
visit(struct run *run, const FTSENT *found, struct ht_error *e)
{
	struct verdict verdict = { .report = { .json = run->a->json } };
	struct ht_error why;
	int rc;

	switch (found->fts_info) {
	case FTS_D:
	case FTS_DP:
		return 0;
	case FTS_F:
		return look_at(run, found->fts_path, e);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		break;
	default:
		run->others++;
		return 0;
	}
	rc = ht_error_set(&why, HT_ERR_USAGE, "%s", strerror(found->fts_errno));
	report_open(&verdict.report, NULL, '{');
	if (run->a->json)
		report_text(&verdict.report, NULL, "file", found->fts_path);
	rc = say(run, found->fts_path, &verdict, rc, &why, e);
	report_clear(&verdict.report);
	return rc;
}

static int
walk(struct run *run, const char *path, struct ht_error *e)
{
	char *const roots[] = { (char *)(uintptr_t)path, NULL };
	FTSENT *found;
	FTS *tree;
	int rc = 0;

	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR,
	    compare);
	if (tree == NULL)
		return ht_error_errno(e, "cannot look into %s", path);
	errno = 0;
	while (rc == 0 && (found = fts_read(tree)) != NULL) {
		rc = visit(run, found, e);
		errno = 0;
	}
	if (rc == 0 && errno != 0)
		rc = ht_error_errno(e, "cannot look into %s", path);
	(void)fts_close(tree);
	return rc;
}

int
each_run(const struct htsign_arguments *a, const struct each *each,
    struct ht_error *e)
{
	struct run run = { .a = a, .each = each };
	char summary[200];
	size_t i;
	int rc = 0;

	run.list = a->operands > 1 || a->recursive;
	for (i = 0; rc == 0 && i < a->operands; i++)
		rc = a->recursive && strcmp(a->operand[i], "-") != 0
		    ? walk(&run, a->operand[i], e)
		    : look_at(&run, a->operand[i], e);
	if (fflush(stdout) != 0 && !ends_all(rc))
		rc = ht_error_errno(e, "cannot write what was found");
	if (!run.list || rc < 0)
		return rc;
	summarize(&run, summary, sizeof(summary));
	if (run.rc < 0)
		return ht_error_set(e, run.rc, "%s", summary);
	if (each->needs_good && run.counts[VERDICT_GOOD] == 0)
		return ht_error_set(e, HT_ERR_DATA, "nothing to verify: %s",
		    summary);
	log_notice("%s", summary);
	return 0;
}
