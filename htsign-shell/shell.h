/*
 * htsign-shell: one channel's work.
 */

#ifndef HTSIGN_SHELL_SHELL_H
#define HTSIGN_SHELL_SHELL_H

/*
 * The program: does what it was started for and returns the exit status.
 */
int shell_main(int argc, char *const *argv);

#endif
