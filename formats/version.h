/*
 * What a file says of itself: the version resource of a program, the properties
 * of a Windows Installer package.
 *
 * This is read beside what is signed, from a file that may be damaged on purpose.
 * What cannot be read is left out, and is no error.
 */

#ifndef FORMATS_VERSION_H
#define FORMATS_VERSION_H

#include "lib/buf.h"
#include "lib/error.h"

/* The longest text in bytes, with its NUL.  A longer one is left out. */
#define FORMAT_VERSION_TEXT 256

/* UTF-8 without control characters; "" for what the file does not say. */
struct format_version {
	char product[FORMAT_VERSION_TEXT]; /* ProductName */
	char company[FORMAT_VERSION_TEXT]; /* CompanyName; of an MSI
	                                      Manufacturer */
	char version[FORMAT_VERSION_TEXT]; /* of the file, "1.2.3.4"; of an MSI
	                                      ProductVersion */
};

/*
 * Copy UTF-16LE up to a NUL or its end to out, or make out "" if that does not
 * fit, is not UTF-16, or has a control character.  format_version_utf8 does the
 * same with UTF-8.
 */
void format_version_utf16(struct cursor text, char out[FORMAT_VERSION_TEXT]);
void format_version_utf8(struct cursor text, char out[FORMAT_VERSION_TEXT]);

#endif
