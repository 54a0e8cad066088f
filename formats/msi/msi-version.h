/*
 * The properties of a Windows Installer package; for formats/msi/ only.  The
 * database's tables are streams whose names are encoded, of numbers of strings
 * in a pool; nobody has documented that but those who read it (Wine, msitools).
 */

#ifndef FORMATS_MSI_MSI_VERSION_H
#define FORMATS_MSI_MSI_VERSION_H

#include "formats/msi/cfb.h"
#include "formats/version.h"

/*
 * Read ProductName, Manufacturer and ProductVersion; *out is all zeros before.
 * Takes some MiB of memory at most.  A text that is not ASCII is left out unless
 * the package's code page is UTF-8.  HT_ERR_INTERNAL without memory; other errors
 * as input_read.
 */
int msi_version_read(const struct cfb *cfb, struct format_version *out,
    struct ht_error *e);

#endif
