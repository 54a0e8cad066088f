/*
 * Whether a package is what its block map says, for formats/appx/ only.  If it
 * is not, Windows does not install it, and signtool does not sign it.
 *
 * The block map has the name, the sizes and the digest of each 64 KiB of every
 * file, but for the parts that signing makes or changes.  That of a bundle has
 * its manifest alone, which has the places of the packages.
 */

#ifndef FORMATS_APPX_APPX_BLOCK_MAP_H
#define FORMATS_APPX_APPX_BLOCK_MAP_H

#include "formats/appx/appx-layout.h"

/*
 * Compare all files of the package with its block map, whose digests are of
 * this algorithm, and the packages in a bundle with its manifest.  The places
 * of packages are those that they have in layout.
 *
 * HT_ERR_DATA if anything does not match, with the name of the file.
 * HT_ERR_REFUSED if the files unpack to far more than the package has.  Other
 * errors as zip_reader_read and xml_next.
 */
int appx_block_map_check(struct appx_parts *parts,
    const struct appx_layout *layout, const char *algorithm,
    struct ht_error *e);

#endif
