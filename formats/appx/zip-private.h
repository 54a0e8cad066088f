/*
 * What the parts of the reader of ZIP files (zip.h) share.  zip.c walks over
 * the directory, zip-end.c reads the end records, zip-local.c the local
 * records, zip-fields.c their fields.  zip-write.c writes headers.
 */

#ifndef FORMATS_APPX_ZIP_PRIVATE_H
#define FORMATS_APPX_ZIP_PRIVATE_H

#include "formats/appx/zip.h"

#define ZIP_EXTRA_64 0x0001

/*
 * Set *e to HT_ERR_DATA at this offset of the file, and return it.
 */
int zip_damaged(struct ht_error *e, uint64_t offset, const char *what);

/*
 * Read the end records into *zip, and set *size to the size of the directory,
 * which ends where they begin.  HT_ERR_DATA for damaged ones, HT_ERR_INTERNAL
 * without memory, or as input_read.
 */
int zip_find_directory(struct zip *zip, uint64_t *size, struct ht_error *e);

/*
 * Find the ZIP64 field among the extra fields; *field is empty if there is
 * none.  HT_ERR_DATA for two of them, or fields that do not fill their room
 * (APPNOTE 4.5.1).
 */
int zip_field64(struct cursor extra, struct cursor *field);

/*
 * Set *value to narrow, or if that is all ones to the next number of the ZIP64
 * field.  HT_ERR_DATA if the field has none left.
 */
int zip_widen(struct cursor *field, uint32_t narrow, uint64_t *value);

/*
 * Check the local record of an entry of the directory, and set data and end of
 * the entry.  The record ends at next, where the next one begins.  HT_ERR_DATA,
 * or as input_read.
 */
int zip_check_local(const struct zip *zip, struct zip_entry *entry,
    uint64_t next, struct ht_error *e);

#endif
