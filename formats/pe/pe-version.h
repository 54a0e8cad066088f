/*
 * The version resource of a Portable Executable; for formats/pe/ only.
 * Microsoft PE and COFF Specification, "The .rsrc Section"; VS_VERSIONINFO,
 * https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo.
 */

#ifndef FORMATS_PE_PE_VERSION_H
#define FORMATS_PE_PE_VERSION_H

#include "formats/version.h"
#include "lib/input.h"

/*
 * Read the first version resource of the program whose PE signature is at this
 * offset, whatever its language; *out is all zeros before.  in must be seekable.
 * Takes at most some hundred KiB of it.  HT_ERR_* only as input_read.
 */
int pe_version_read(struct input *in, uint64_t at, struct format_version *out,
    struct ht_error *e);

#endif
