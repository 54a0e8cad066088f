#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/admin/admin-link.h"
#include "keys/keyd/door.h"
#include "keys/keyd/fetch-link.h"
#include "keys/keyd/sign-link.h"
#include "keys/keyd/sockets.h"
#include "lib/log.h"

#define BACKLOG 1024

/* The most connections accepted in one turn, so that open ones get theirs. */
#define BURST 16

static int
accept_sign(struct keyd *k, int fd, struct ht_error *e)
{
	return sign_link_accept(k, fd, NULL, e);
}

static int
accept_admin(struct keyd *k, int fd, struct ht_error *e)
{
	return admin_link_accept(k, fd, NULL, e);
}

static const struct {
	const char *name;
	int group; /* of the socket; -1: root's */
	int (*accept)(struct keyd *k, int fd, struct ht_error *e);
} kinds[] = {
	{ PROTOCOL_SOCKET_SIGN, CONF_USER_SIGN, accept_sign },
	{ PROTOCOL_SOCKET_ADMIN, CONF_USER_ADMIN, accept_admin },
	{ PROTOCOL_SOCKET_PRINCIPALS, CONF_USER_AUTH, door_accept_principals },
	{ PROTOCOL_SOCKET_SSHD, -1, door_accept_sshd },
	{ PROTOCOL_SOCKET_FETCH, CONF_USER_FETCH, fetch_link_accept },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

struct listening {
	struct keyd *keyd;
	size_t kind;
	int fd;
	struct loop_watch *watch;
};

struct sockets {
	struct listening at[KINDS];
};

/*
 * root binds, and gives away, the sockets by their paths.  So nobody else may
 * put anything in the folder.
 */
int
sockets_check_folder(const struct conf *conf, struct ht_error *e)
{
	struct stat st;

	if (lstat(conf->run, &st) < 0)
		return errno == ENOENT ? 0 : ht_error_errno(e, "%s", conf->run);
	if (conf->single_user ||
	    (S_ISDIR(st.st_mode) && st.st_uid == 0 &&
	        (st.st_mode & (S_IWGRP | S_IWOTH)) == 0))
		return 0;
	(void)ht_error_set(e, HT_ERR_USAGE,
	    "%s: must be a folder of root's that only root can write to",
	    conf->run);
	return conf_at(conf, conf->run, e);
}

static int
make_folder(const struct conf *conf, struct ht_error *e)
{
	if (mkdir(conf->run, 0755) < 0 && errno != EEXIST)
		return ht_error_errno(e, "%s", conf->run);
	return sockets_check_folder(conf, e);
}

static int
listen_at(const struct conf *conf, size_t kind, int *out, struct ht_error *e)
{
	const struct conf_account *users = conf->users;
	int group = kinds[kind].group;
	struct sockaddr_un un;
	int fd, n;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	n = snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", conf->run,
	    kinds[kind].name);
	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s: too long a path for sockets", conf->run);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ht_error_errno(e, "socket");
	(void)unlink(un.sun_path);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
	    chmod(un.sun_path, group < 0 ? 0600 : 0660) < 0 ||
	    (!conf->single_user && group >= 0 &&
	        chown(un.sun_path, users[CONF_USER_KEYD].uid,
	            users[group].gid) < 0) ||
	    listen(fd, BACKLOG) < 0) {
		(void)ht_error_errno(e, "%s", un.sun_path);
		(void)close(fd);
		return HT_ERR_INTERNAL;
	}
	*out = fd;
	return 0;
}

struct sockets *
sockets_new(const struct conf *conf, struct ht_error *e)
{
	struct sockets *s = calloc(1, sizeof(*s));
	size_t i;

	if (s == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	for (i = 0; i < KINDS; i++) {
		s->at[i].kind = i;
		s->at[i].fd = -1;
	}
	if (make_folder(conf, e) < 0)
		goto fail;
	for (i = 0; i < KINDS; i++)
		if (listen_at(conf, i, &s->at[i].fd, e) < 0)
			goto fail;
	return s;
fail:
	sockets_free(s);
	return NULL;
}

static void
ready(void *cookie, short revents)
{
	struct listening *l = cookie;
	struct ht_error e;
	int burst, fd;

	(void)revents;
	for (burst = 0; burst < BURST; burst++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (kinds[l->kind].accept(l->keyd, fd, &e) < 0)
			log_notice("%s: %s", kinds[l->kind].name, e.text);
	}
}

int
sockets_serve(struct sockets *s, struct keyd *k, struct ht_error *e)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		s->at[i].keyd = k;
		s->at[i].watch = loop_watch_add(k->loop, s->at[i].fd, POLLIN,
		    ready, &s->at[i]);
		if (s->at[i].watch == NULL)
			return ht_error_memory(e);
	}
	return 0;
}

void
sockets_stop(struct sockets *s)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		loop_watch_remove(s->at[i].watch);
		s->at[i].watch = NULL;
		if (s->at[i].fd >= 0)
			(void)close(s->at[i].fd);
		s->at[i].fd = -1;
	}
}

void
sockets_free(struct sockets *s)
{
	if (s == NULL)
		return;
	sockets_stop(s);
	free(s);
}
