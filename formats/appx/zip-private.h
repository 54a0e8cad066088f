/*
 * What the parts of the reader of ZIP files (zip.h) share: zip.c goes through
 * the directory, zip-end.c knows the end records, zip-local.c the local ones,
 * zip-fields.c what is in them, and zip-write.c writes headers.
 */

#ifndef FORMATS_APPX_ZIP_PRIVATE_H
#define FORMATS_APPX_ZIP_PRIVATE_H

#include "formats/appx/zip.h"

#define ZIP_EXTRA_64 0x0001

/*
 * HT_ERR_DATA at this offset of the file.
 */
int zip_damaged(struct ht_error *e, uint64_t offset, const char *what);

/*
 * Read the end records into *zip; *size is that of the directory, which ends
 * where they begin.  HT_ERR_DATA, or as input_read.
 */
int zip_find_directory(struct zip *zip, uint64_t *size, struct ht_error *e);

/*
 * The ZIP64 field among the extra fields; empty if there is none.  HT_ERR_DATA
 * for two of them, or fields that do not fill their room (APPNOTE 4.5.1).
 */
int zip_field64(struct cursor extra, struct cursor *field);

/*
 * A value that stands in the ZIP64 field if the older field is all ones.
 */
int zip_widen(struct cursor *field, uint32_t narrow, uint64_t *value);

/*
 * Check the local record of an entry of the directory, which ends where the
 * next one begins, and set data and end of the entry.  HT_ERR_DATA, or as
 * input_read.
 */
int zip_check_local(const struct zip *zip, struct zip_entry *entry,
    uint64_t next, struct ht_error *e);

#endif
