#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "htsign/htsign.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "signature/init.h"

struct command {
	const char *name;
	const char *usage;
	const char *help;
	size_t operands;
	bool more; /* or more operands */
	int (*run)(const struct htsign_arguments *a, struct ht_error *e);
};

static const struct command commands[] = {
	{ "attach", "FILE PKCS7 [--index=N] [-i | -o OUT]",
	    "put a PKCS#7 signature (- for stdin) into its file", 2, false,
	    attach_run },
	{ "digest", "FILE [--digest=NAME] [--msi-ex]",
	    "print the digest that a signature is over", 1, false, digest_run },
	{ "extract", "FILE [--index=N] [-o OUT]",
	    "get the PKCS#7 signature of a file", 1, false, extract_run },
	{ "info", "FILE ... [-r] [--json] [--name=FILE]",
	    "say what is in a file's signature, without verifying it", 1, true,
	    info_run },
	{ "strip", "FILE [-i | -o OUT]", "take the signature out of a file", 1,
	    false, strip_run },
	{ "timestamp", "FILE --url=URL [--tsa-ca=PEM] [-i | -o OUT]",
	    "have all signatures of a file timestamped (RFC 3161)", 1, false,
	    timestamp_run },
	{ "verify",
	    "FILE ... --ca PEM [--tsa-ca PEM] [--allow-uncovered] [-r] "
	    "[--json] [--name=FILE]",
	    "verify digest, signatures and chains, and say who signed", 1, true,
	    verify_run },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

#define IN_PLACE_HELP "change FILE itself, which keeps its mode and times"
#define OUTPUT_HELP "where to, instead of stdout; may be FILE itself"
#define JSON_HELP "a JSON object for each file, on one line"
#define NAME_HELP "the name of the file that is stdin, for scripts"
#define RECURSIVE_HELP "all files below the folders that FILEs are"

/* Options, and where their argument goes.  A switch has no argument. */
static const struct option {
	const char *command;
	char letter; /* or '\0' */
	const char *name;
	const char *argument;
	const char *help;
	size_t place;
} options[] = {
	{ "attach", '\0', "index", "N",
	    "which one of several side by side, from 1; the others stay",
	    offsetof(struct htsign_arguments, index) },
	{ "attach", 'i', "in-place", NULL, IN_PLACE_HELP,
	    offsetof(struct htsign_arguments, in_place) },
	{ "attach", 'o', "output", "OUT", OUTPUT_HELP,
	    offsetof(struct htsign_arguments, output) },
	{ "digest", '\0', "digest", "NAME", "sha256, sha384 or sha512",
	    offsetof(struct htsign_arguments, digest) },
	{ "digest", '\0', "msi-ex", NULL, "of an MSI signed with --msi-ex",
	    offsetof(struct htsign_arguments, msi_ex) },
	{ "extract", '\0', "index", "N",
	    "only one of several side by side, from 1",
	    offsetof(struct htsign_arguments, index) },
	{ "extract", 'o', "output", "OUT", "where to, instead of stdout",
	    offsetof(struct htsign_arguments, output) },
	{ "info", '\0', "json", NULL, JSON_HELP,
	    offsetof(struct htsign_arguments, json) },
	{ "info", '\0', "name", "FILE", NAME_HELP,
	    offsetof(struct htsign_arguments, name) },
	{ "info", 'r', "recursive", NULL, RECURSIVE_HELP,
	    offsetof(struct htsign_arguments, recursive) },
	{ "strip", 'i', "in-place", NULL, IN_PLACE_HELP,
	    offsetof(struct htsign_arguments, in_place) },
	{ "strip", 'o', "output", "OUT", OUTPUT_HELP,
	    offsetof(struct htsign_arguments, output) },
	{ "timestamp", 'i', "in-place", NULL, IN_PLACE_HELP,
	    offsetof(struct htsign_arguments, in_place) },
	{ "timestamp", 'o', "output", "OUT", OUTPUT_HELP,
	    offsetof(struct htsign_arguments, output) },
	{ "timestamp", '\0', "tsa-ca", "PEM",
	    "the roots of the authority, instead of the system's",
	    offsetof(struct htsign_arguments, tsa_ca) },
	{ "timestamp", '\0', "url", "URL", "the authority, http://...",
	    offsetof(struct htsign_arguments, url) },
	{ "verify", '\0', "allow-uncovered", NULL,
	    "report bytes that no signature covers, and verify the rest",
	    offsetof(struct htsign_arguments, allow_uncovered) },
	{ "verify", '\0', "ca", "PEM", "the root certificates to trust",
	    offsetof(struct htsign_arguments, ca) },
	{ "verify", '\0', "json", NULL, JSON_HELP,
	    offsetof(struct htsign_arguments, json) },
	{ "verify", '\0', "name", "FILE", NAME_HELP,
	    offsetof(struct htsign_arguments, name) },
	{ "verify", 'r', "recursive", NULL, RECURSIVE_HELP,
	    offsetof(struct htsign_arguments, recursive) },
	{ "verify", '\0', "tsa-ca", "PEM", "the same for timestamps",
	    offsetof(struct htsign_arguments, tsa_ca) },
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

static void
print_help(void)
{
	size_t i;
	size_t j;

	(void)puts("usage: htsign COMMAND ...");
	for (i = 0; i < COMMANDS; i++) {
		(void)printf("\n  htsign %s %s\n      %s\n", commands[i].name,
		    commands[i].usage, commands[i].help);
		for (j = 0; j < OPTIONS; j++) {
			if (strcmp(options[j].command, commands[i].name) != 0)
				continue;
			if (options[j].letter != '\0')
				(void)printf("      -%c, ", options[j].letter);
			else
				(void)printf("          ");
			(void)printf("--%s%s%s  %s\n", options[j].name,
			    options[j].argument != NULL ? "=" : "",
			    options[j].argument != NULL ? options[j].argument
			                                : "",
			    options[j].help);
		}
	}
	(void)puts("\n  htsign --help | --version");
}

static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/*
 * Find the command's option that argv[*i] is, and its argument: after '=',
 * directly after the letter, or the next word.
 */
static const struct option *
find_option(const struct command *command, char **argv, int *i,
    const char **argument)
{
	const char *word = argv[*i];
	const struct option *o;
	size_t n;

	for (o = options; o < options + OPTIONS; o++) {
		if (strcmp(o->command, command->name) != 0)
			continue;
		n = strlen(o->name);
		if (word[1] == '-' && strncmp(word + 2, o->name, n) == 0 &&
		    (word[2 + n] == '=' || word[2 + n] == '\0'))
			*argument = word[2 + n] == '=' ? word + 3 + n : NULL;
		else if (o->letter != '\0' && word[1] == o->letter)
			*argument = word[2] != '\0' ? word + 2 : NULL;
		else
			continue;
		if (o->argument != NULL && *argument == NULL &&
		    argv[*i + 1] != NULL)
			*argument = argv[++*i];
		return o;
	}
	return NULL;
}

static int
set_option(const struct option *o, const char *argument,
    struct htsign_arguments *a, struct ht_error *e)
{
	static const bool on = true;

	if (o->argument == NULL && argument != NULL)
		return ht_error_set(e, HT_ERR_USAGE, "--%s takes no argument",
		    o->name);
	if (o->argument != NULL && argument == NULL)
		return ht_error_set(e, HT_ERR_USAGE, "--%s needs %s", o->name,
		    o->argument);
	if (o->argument == NULL)
		memcpy((char *)a + o->place, &on, sizeof(on));
	else
		memcpy((char *)a + o->place, &argument, sizeof(argument));
	return 0;
}

/*
 * Parse the words after the command's name.  The operands move to the front of
 * them.
 */
static int
parse(const struct command *command, char **argv, struct htsign_arguments *a,
    struct ht_error *e)
{
	char **operand = argv + 2;
	const struct option *o;
	const char *argument;
	bool more_options = true;
	int rc;
	int i;

	for (i = 2; argv[i] != NULL; i++) {
		if (more_options && strcmp(argv[i], "--") == 0) {
			more_options = false;
		} else if (more_options && argv[i][0] == '-' &&
		    argv[i][1] != '\0') {
			o = find_option(command, argv, &i, &argument);
			if (o == NULL)
				return ht_error_set(e, HT_ERR_USAGE,
				    "%s has no option %s (see htsign --help)",
				    command->name, argv[i]);
			rc = set_option(o, argument, a, e);
			if (rc < 0)
				return rc;
		} else if (a->operands == command->operands && !command->more) {
			return ht_error_set(e, HT_ERR_USAGE,
			    "usage: htsign %s %s", command->name,
			    command->usage);
		} else {
			operand[a->operands++] = argv[i];
		}
	}
	if (a->in_place && a->output != NULL)
		return ht_error_set(e, HT_ERR_USAGE, "-i or -o, not both");
	if (a->operands < command->operands)
		return ht_error_set(e, HT_ERR_USAGE, "usage: htsign %s %s",
		    command->name, command->usage);
	a->operand = (const char *const *)operand;
	return 0;
}

static int
run(char **argv, struct ht_error *e)
{
	const struct command *command = find_command(argv[1]);
	struct htsign_arguments a = { 0 };
	int rc;

	if (command == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "no command %s (see htsign --help)", argv[1]);
	if ((rc = parse(command, argv, &a, e)) < 0 ||
	    (rc = proc_harden(e)) < 0 || (rc = authenticode_init(e)) < 0)
		return rc;
	return command->run(&a, e);
}

int
htsign_main(int argc, char **argv)
{
	struct ht_error e;
	int rc;

	log_open("htsign", false, false);
	if (argc < 2) {
		log_error("which command? (see htsign --help)");
		return -HT_ERR_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help();
		return fflush(stdout) == 0 ? 0 : -HT_ERR_INTERNAL;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts("htsign " VERSION);
		return fflush(stdout) == 0 ? 0 : -HT_ERR_INTERNAL;
	}
	ht_error_clear(&e);
	rc = run(argv, &e);
	if (rc < 0 && e.offset != HT_NO_OFFSET)
		log_error("%s (at byte %llu)", e.text,
		    (unsigned long long)e.offset);
	else if (rc < 0)
		log_error("%s", e.text);
	return -rc;
}
