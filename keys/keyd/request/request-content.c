#include "config.h"

#include <string.h>

#include "keys/keyd/request/request-private.h"
#include "keys/keyd/request/rules.h"
#include "lib/utf8.h"
#include "signature/content.h"
#include "signature/spc.h"

_Static_assert(PROTOCOL_PAGES_MAX == SPC_PAGES_MAX,
    "a PE of 1 GiB has so many page hashes");
_Static_assert(PROTOCOL_PAGES_MAX <= KEYD_CONTENT / 4 &&
        PROTOCOL_CTL_MAX <= KEYD_CONTENT / 4,
    "a client has room for the largest content beside any other");

/* --- CONTENT ------------------------------------------------------------- */

/*
 * Return the most bytes of content.  Catalogs send a CTL, within the size that
 * the profile allows; other formats never do.  The profile exists, because
 * request_check_format came first.
 */
static uint64_t
content_max(const struct request *r, const struct protocol_content *content)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	bool ctl = strcmp(content->format, CONTENT_CAT) == 0;
	uint64_t most = protocol_content_max(content->kind, content->format);

	if (content->kind != (ctl ? PROTOCOL_KIND_CTL : PROTOCOL_KIND_SPC))
		return 0;
	return ctl && profile->max_ctl < most ? profile->max_ctl : most;
}

/* What the file says of itself, which is shown; "" stands for nothing. */
static int
take_version(struct request *r, const struct protocol_content *content,
    struct ht_error *e)
{
	struct journal_input *input = &r->decision.input;

	if (!utf8_plain(content->product) || !utf8_plain(content->company) ||
	    !utf8_plain(content->version))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "texts that cannot be recorded");
	memcpy(r->product, content->product, sizeof(r->product));
	memcpy(r->company, content->company, sizeof(r->company));
	memcpy(r->version, content->version, sizeof(r->version));
	input->product = r->product[0] != '\0' ? r->product : NULL;
	input->company = r->company[0] != '\0' ? r->company : NULL;
	input->version = r->version[0] != '\0' ? r->version : NULL;
	return 0;
}

static int
check_content(const struct request *r, const struct protocol_content *content,
    const char **word, struct ht_error *e)
{
	*word = "content";
	if (request_check_format(r, content->format, e) < 0)
		return HT_ERR_REFUSED;
	if (content->length == 0 || content->length > content_max(r, content) ||
	    content->sha256.left !=
	        (r->pumps && !r->may_keep ? 0 : sizeof(r->sha256)))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "content of a kind or a size that is never signed");
	*word = "cut";
	if (!r->pumps &&
	    !request_is_announced(r, content->size, content->sha256.p))
		return ht_error_set(e, HT_ERR_DATA,
		    "the file is not the one that was announced");
	return 0;
}

/*
 * Keep what the shell says of the input.  If the input passes htsign-pump, it is
 * htsign-pump that says its SHA-256.
 */
static void
take_input(struct request *r, const char *format, uint64_t size,
    struct cursor sha256, bool old_signature)
{
	struct journal_input *input = &r->decision.input;

	(void)snprintf(r->format, sizeof(r->format), "%s", format);
	input->format = r->format;
	input->size = size;
	if (!r->pumps && sha256.left == sizeof(r->sha256) &&
	    size <= JOURNAL_SIZE_MAX) {
		memcpy(r->sha256, sha256.p, sha256.left);
		input->sha256 = r->sha256;
	}
	input->old_signature = old_signature;
	input->received = journal_now();
}

void
request_content(struct request *r, const struct protocol_content *content)
{
	const struct conf_profile *profile;
	uint64_t most = 2 * (uint64_t)content->length;
	struct protocol_refuse no;
	struct ht_error e;
	const char *word;

	take_input(r, content->format, content->size, content->sha256,
	    content->existing != 0);
	if (check_content(r, content, &word, &e) < 0 ||
	    take_version(r, content, &e) < 0) {
		request_give_up(r, word, &e);
		return;
	}
	profile = conf_profile(r->keyd->setup->conf, r->profile);
	if (rules_content(profile, content, &no) < 0 ||
	    request_take_bytes(r, content->size, &no) < 0 ||
	    request_take(r, content->length, &no) < 0) {
		request_say_no(r, true, &no);
		return;
	}
	if (profile->timestamp != CONF_TIMESTAMP_NONE)
		most += PROTOCOL_STAMP_MAX;
	if (request_room(r->keyd, most, &no) < 0) {
		request_say_no(r, false, &no);
		return;
	}
	memcpy(r->publisher, content->publisher, sizeof(r->publisher));
	r->length = content->length;
	buf_reserve(&r->der, r->length);
	request_start_transfer(r);
	request_start_deadline(r, profile->deadline);
}

void
request_part(struct request *r, struct cursor bytes)
{
	struct ht_error e;

	if (r->phase == REQUEST_SIGNED && r->made.length > 0) {
		request_recipe_part(r, bytes);
		return;
	}
	if (r->phase != REQUEST_OPEN) {
		keyd_close(r->connection);
		return;
	}
	if (bytes.left == 0 || bytes.left > r->length - r->der.len) {
		(void)ht_error_set(&e, HT_ERR_INTERNAL,
		    "more content than was announced");
		request_give_up(r, "content", &e);
		return;
	}
	buf_bytes(&r->der, bytes.p, bytes.left);
	if (buf_failed(&r->der) < 0) {
		(void)ht_error_memory(&e);
		request_give_up(r, "content", &e);
	} else if (r->der.len == r->length) {
		request_whole(r);
	}
}

/* --- KEPT ---------------------------------------------------------------- */

/* True if the output is the unchanged file, or a part of it for a PKCS#7. */
static bool
is_as_it_came(const struct request *r, const struct protocol_kept *kept)
{
	if (r->reply == PROTOCOL_REPLY_PKCS7)
		return kept->output_size <= kept->size;
	return kept->output_size == kept->size &&
	    memcmp(kept->output_sha256.p, kept->sha256.p, JOURNAL_SHA256) == 0;
}

void
request_kept(struct request *r, const struct protocol_kept *kept)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	struct protocol_refuse no;
	struct ht_error e;

	if (r->phase != REQUEST_OPEN || !r->may_keep ||
	    kept->sha256.left != JOURNAL_SHA256 ||
	    kept->output_sha256.left != JOURNAL_SHA256 ||
	    !is_as_it_came(r, kept)) {
		keyd_close(r->connection);
		return;
	}
	take_input(r, kept->format, kept->size, kept->sha256, true);
	if (!r->pumps && !request_is_announced(r, kept->size, kept->sha256.p)) {
		(void)ht_error_set(&e, HT_ERR_DATA,
		    "the file is not the one that was announced");
		request_give_up(r, "kept", &e);
		return;
	}
	if (request_take_bytes(r, kept->size, &no) < 0) {
		request_say_no(r, true, &no);
		return;
	}
	r->keeps = true;
	r->kept = *kept;
	memcpy(r->kept_sha256[0], kept->sha256.p, JOURNAL_SHA256);
	memcpy(r->kept_sha256[1], kept->output_sha256.p, JOURNAL_SHA256);
	r->kept.sha256.p = r->kept_sha256[0];
	r->kept.output_sha256.p = r->kept_sha256[1];
	if (r->pumps && profile != NULL) {
		request_start_transfer(r);
		request_start_deadline(r, profile->deadline);
	}
	request_whole(r);
}
