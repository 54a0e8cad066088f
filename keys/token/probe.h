/*
 * htsign-token --probe: what a PKCS#11 module has, for people, and the
 * configuration for it.
 */

#ifndef KEYS_TOKEN_PROBE_H
#define KEYS_TOKEN_PROBE_H

/*
 * argv begins behind "--probe".  Prints to stdout, complaints to stderr, and
 * returns the exit status.
 */
int probe_run(int argc, char **argv);

#endif
