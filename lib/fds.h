/*
 * Descriptors that go along with bytes over a unix socket (unix(7)).
 */

#ifndef LIB_FDS_H
#define LIB_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* So many go along at most. */
#define FDS_MAX 5

/*
 * As send(2), with nfds descriptors that the caller keeps; no SIGPIPE, and
 * begun again when a signal comes.  Without descriptors it is send(2): where
 * none are to be sent, the sandbox has no sendmsg(2).  EINVAL for too many.
 */
ssize_t fds_send(int fd, const void *p, size_t n, const int *fds, size_t nfds);

/*
 * As recv(2), with up to max descriptors, which are the caller's from then on
 * and close-on-exec; *nfds is their number.  Begun again when a signal comes.
 * *whole is false if more of them came, which are closed, or a message of more
 * than n bytes.
 */
ssize_t fds_receive(int fd, void *p, size_t n, int *fds, size_t max,
    size_t *nfds, bool *whole);

#endif
