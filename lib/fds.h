/*
 * Descriptors that go along with bytes over a unix socket (unix(7)).
 */

#ifndef LIB_FDS_H
#define LIB_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* At most so many descriptors in one message. */
#define FDS_MAX 5

/*
 * send(2) with nfds descriptors, which the caller keeps.  Sends no SIGPIPE and
 * starts again after a signal.  errno is EINVAL if nfds exceeds FDS_MAX.
 * Without descriptors it calls send(2): a sandbox that passes no descriptors
 * has no sendmsg(2).
 */
ssize_t fds_send(int fd, const void *p, size_t n, const int *fds, size_t nfds);

/*
 * recv(2) with at most max descriptors; *nfds is their number.  The caller
 * owns them, and they are close-on-exec.  Starts again after a signal.
 * *whole is false if more than max descriptors came (the others are closed) or
 * if the message was longer than n bytes.
 */
ssize_t fds_receive(int fd, void *p, size_t n, int *fds, size_t max,
    size_t *nfds, bool *whole);

#endif
