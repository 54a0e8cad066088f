/*
 * What a command costs: CPU time and memory.
 *
 *	measure [-n RUNS] [-w MIB] [-i IN] [-o OUT] [-u FILE] [-p PID] ...
 *	    COMMAND ...
 *
 * Runs COMMAND that many times, one after another, with IN as its stdin and OUT
 * as its stdout; both are /dev/null otherwise.  OUT is a new file each time,
 * and FILE is removed before each run.  Prints two numbers: milliseconds of CPU
 * a run, user and system, of the command and of the processes PID together; and
 * KiB, the most that any of the commands had resident at once, pages of mapped
 * files included (getrusage(2), ru_maxrss).  Fails if a command does.
 *
 * With -w, another process touches so much memory and gives it back, all the
 * while, at its own cost.  The host of a virtual machine may take memory that
 * is free for a second or two, and to get it back costs several times what a
 * page does otherwise; a command that writes large files would be charged for
 * that, or would not, by chance.
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX 16

/* Between two touches of all memory that is kept. */
#define KEEP_INTERVAL 1 /* seconds */

struct job {
	const char *in;
	const char *out;
	const char *removed;
	long runs;
	long kept; /* MiB */
	pid_t servers[SERVERS_MAX];
	size_t nservers;
	char **command;
};

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void
usage(void)
{
	(void)fputs("usage: measure [-n RUNS] [-w MIB] [-i IN] [-o OUT] "
	            "[-u FILE] [-p PID] ... COMMAND ...\n",
	    stderr);
	exit(64);
}

static void
parse(int argc, char **argv, struct job *job)
{
	int option;

	while ((option = getopt(argc, argv, "+i:n:o:p:u:w:")) != -1) {
		if (option == 'i')
			job->in = optarg;
		else if (option == 'n')
			job->runs = strtol(optarg, NULL, 10);
		else if (option == 'o')
			job->out = optarg;
		else if (option == 'u')
			job->removed = optarg;
		else if (option == 'w')
			job->kept = strtol(optarg, NULL, 10);
		else if (option == 'p' && job->nservers < SERVERS_MAX)
			job->servers[job->nservers++] =
			    (pid_t)strtol(optarg, NULL, 10);
		else
			usage();
	}
	job->command = argv + optind;
	if (*job->command == NULL || job->runs <= 0 || job->kept < 0)
		usage();
}

/* What the servers have used so far, in nanoseconds. */
static int64_t
used(const struct job *job)
{
	struct timespec t;
	clockid_t clock;
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < job->nservers; i++) {
		errno = clock_getcpuclockid(job->servers[i], &clock);
		if (errno != 0 || clock_gettime(clock, &t) < 0)
			die("a process");
		sum += (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	}
	return sum;
}

/* Until its parent ends. */
static _Noreturn void
keep_memory(size_t n)
{
	const struct timespec interval = { KEEP_INTERVAL, 0 };
	void *p;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (p == MAP_FAILED)
			die("memory");
		(void)munmap(p, n);
		(void)nanosleep(&interval, NULL);
	}
}

static void
start_keeping(size_t n)
{
	pid_t pid = n > 0 ? fork() : 1;

	if (pid == 0)
		keep_memory(n);
	if (pid < 0)
		die("fork");
}

static void
redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		die(path);
	(void)close(fd);
}

static _Noreturn void
become(const struct job *job)
{
	redirect(job->in, O_RDONLY, STDIN_FILENO);
	redirect(job->out, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
	(void)execvp(job->command[0], job->command);
	die(job->command[0]);
}

/* Run it once, and return what it has used itself, in nanoseconds. */
static int64_t
run(const struct job *job, long *peak)
{
	struct rusage r;
	int status;
	pid_t pid;

	if (job->removed != NULL && unlink(job->removed) < 0 && errno != ENOENT)
		die(job->removed);
	if (strcmp(job->out, "/dev/null") != 0 && unlink(job->out) < 0 &&
	    errno != ENOENT)
		die(job->out);
	pid = fork();
	if (pid == 0)
		become(job);
	if (pid < 0 || wait4(pid, &status, 0, &r) != pid)
		die("fork");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "measure: %s fails\n", job->command[0]);
		exit(1);
	}
	if (r.ru_maxrss > *peak)
		*peak = r.ru_maxrss;
	return ((int64_t)r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000 +
	    ((int64_t)r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000;
}

int
main(int argc, char **argv)
{
	struct job job = { .in = "/dev/null", .out = "/dev/null", .runs = 1 };
	int64_t before, cost = 0;
	long peak = 0;
	long i;

	parse(argc, argv, &job);
	start_keeping((size_t)job.kept << 20);
	before = used(&job);
	for (i = 0; i < job.runs; i++)
		cost += run(&job, &peak);
	cost += used(&job) - before;
	(void)printf("%.3f %ld\n", (double)cost / 1e6 / (double)job.runs, peak);
	return 0;
}
