/*
 * What VirusTotal answers (API v3): bytes in, values out.
 */

#ifndef FETCH_VIRUSTOTAL_H
#define FETCH_VIRUSTOTAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest answer that is read, in bytes, and the most engines in it. */
#define VIRUSTOTAL_REPLY_MAX ((size_t)1 << 20)
#define VIRUSTOTAL_ENGINES 200

/* The longest name or result of an engine, identifier and URL, with their NUL. */
#define VIRUSTOTAL_WORD 64
#define VIRUSTOTAL_URL 1024

#define VIRUSTOTAL_SHA256 32

struct virustotal_report {
	int64_t date;       /* of the analysis, in seconds since 1970 */
	uint32_t bad;       /* engines that call it malicious or suspicious */
	uint32_t total;     /* engines that have a verdict */
	uint32_t listed;    /* all engines */
	struct buf engines; /* a string each, made with buf_text: the name, the
	                       category and the result of one after the other */
};

/*
 * virustotal_file reads the answer about a file, virustotal_analysis that about
 * an analysis, and virustotal_private the report on a private file.  It must be
 * about the file with this SHA-256.  The counts are made of the engines' own
 * verdicts.  Texts of engines are cut at VIRUSTOTAL_WORD, and have no control
 * characters.  The caller frees out->engines, also on error.
 *
 * No antivirus engine looks at a private file, and its analysis has nothing but a
 * date.  The report has what the sandboxes found, and VirusTotal's own verdict;
 * these are its engines.  It has no date: out->date is 0.
 *
 * virustotal_file and virustotal_private return 0.  virustotal_analysis returns 1
 * if the analysis is completed, 0 if not yet.  HT_ERR_DATA if the answer is none,
 * is about another file, or no engine has a verdict; HT_ERR_INTERNAL without
 * memory.
 */
int virustotal_file(struct cursor json, const uint8_t sha256[VIRUSTOTAL_SHA256],
    struct virustotal_report *out, struct ht_error *e);
int virustotal_analysis(struct cursor json,
    const uint8_t sha256[VIRUSTOTAL_SHA256], bool private,
    struct virustotal_report *out, struct ht_error *e);
int virustotal_private(struct cursor json,
    const uint8_t sha256[VIRUSTOTAL_SHA256], struct virustotal_report *out,
    struct ht_error *e);

/*
 * virustotal_upload_url reads the answer to GET files/upload_url.  The URL must be
 * of the host of the base, or below its domain if that host begins with www: no
 * other gets the key or a file.  out has the scheme of the base, since the answer
 * may say http.
 *
 * virustotal_upload reads that to an upload: the identifier of its analysis,
 * letters, digits and -_= alone.
 *
 * HT_ERR_DATA if it is none.
 */
int virustotal_upload_url(struct cursor json, const char *base,
    char out[VIRUSTOTAL_URL], struct ht_error *e);
int virustotal_upload(struct cursor json, char out[VIRUSTOTAL_URL],
    struct ht_error *e);

#endif
