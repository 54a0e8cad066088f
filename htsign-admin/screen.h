/*
 * Text for a terminal: what keyd prints, folded to the terminal's columns, with
 * colours, and without any byte that would do something to the terminal.
 */

#ifndef HTSIGN_ADMIN_SCREEN_H
#define HTSIGN_ADMIN_SCREEN_H

#include <stdbool.h>

#include "lib/buf.h"

struct screen {
	unsigned int columns; /* at least 1 */
	unsigned int rows;
	bool plain;  /* the terminal knows no escape sequences */
	bool colour; /* words of some meaning get one; not if plain */
};

/* Escape sequences of ECMA-48. */
#define SCREEN_BOLD "\033[1m"
#define SCREEN_USUAL "\033[0m"
#define SCREEN_HOME "\033[H"
#define SCREEN_LINE "\033[K"  /* empty the rest of the line */
#define SCREEN_BELOW "\033[J" /* and all below */

/*
 * The terminal at descriptor 1: its size, or 80 and 24; whether TERM is "dumb";
 * colours unless NO_COLOR is set.
 */
void screen_read(struct screen *s);

/*
 * Append the lines of text to out.  A line that is longer than the terminal is
 * wide goes on in the next one, which is indented, behind the last blank that
 * fits; but it stays whole if one of its words does not fit.  What is not
 * printable, in UTF-8, becomes \xNN.  The last line gets its line end if it has
 * none.
 */
void screen_fit(const struct screen *s, struct cursor text, struct buf *out);

/*
 * The first rows of a text of lines, or the last ones.
 */
struct cursor screen_cut(struct cursor text, unsigned int rows, bool last);

#endif
