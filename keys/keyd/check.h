/*
 * htsign-keyd -t: does what a start does with the configuration and with what it
 * names, and changes nothing.
 */

#ifndef KEYS_KEYD_CHECK_H
#define KEYS_KEYD_CHECK_H

/*
 * Check the configuration at path.  Logs each mistake, with file and line: all
 * of certificates and tokens, and of all else the first one of each kind.  A
 * token need not be there.  Returns the exit status: 0; 69 if keyd would start,
 * but a certificate or a token cannot be used; otherwise that of the start.
 */
int check_run(const char *path);

#endif
