/*
 * htsign-shell: serves one channel.
 */

#ifndef HTSIGN_SHELL_SHELL_H
#define HTSIGN_SHELL_SHELL_H

/*
 * Run the program.  Returns its exit status (DESIGN.md, section 8).
 */
int shell_main(int argc, char *const *argv);

#endif
