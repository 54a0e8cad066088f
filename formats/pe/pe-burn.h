/*
 * Bundles of the WiX Toolset, as far as signing may break them; for formats/pe/
 * only.  There is no specification: src/burn/engine/section.cpp of WiX 3 to 6.
 *
 * A bundle is an engine, Burn, with containers behind it that hold the
 * packages.  The engine looks for them where its own signature ended, which
 * .wixburn has.  Without that entry it takes the file's signature for its own,
 * and looks behind it: there is nothing.
 */

#ifndef FORMATS_PE_PE_BURN_H
#define FORMATS_PE_PE_BURN_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/input.h"

/*
 * Read a section .wixburn at this offset.  If its engine has not been signed,
 * sets *container_end to where the first container behind it ends.  Otherwise,
 * and if the section is not as Burn has it: UINT64_MAX.
 *
 * The container is there if the file's content goes that far.  An engine that
 * was taken out of a bundle to be signed lacks it.
 *
 * Returns the errors of input_read.
 */
int pe_burn_read(struct input *in, uint64_t at, uint64_t *container_end,
    struct ht_error *e);

#endif
