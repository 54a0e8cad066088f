#include "config.h"

#include "keys/sshcert/krl.h"

/* PROTOCOL.krl: the magic number, the version of the format, and the kinds of sections. */
#define MAGIC UINT64_C(0x5353484b524c0a00)
#define FORMAT 1
#define CERTIFICATES 1
#define FINGERPRINTS_SHA256 5
#define SERIAL_LIST 0x20

void
krl_free(struct krl *krl)
{
	buf_free(&krl->serials);
	buf_free(&krl->keys);
}

void
krl_add_serial(struct krl *krl, uint64_t serial)
{
	if (serial != 0)
		buf_u64be(&krl->serials, serial);
}

void
krl_add_key(struct krl *krl, const uint8_t hash[SSHKEY_HASH])
{
	buf_string(&krl->keys, hash, SSHKEY_HASH);
}

/* Append a section: its kind, and a string. */
static void
put_section(struct buf *out, uint8_t kind, const struct buf *section)
{
	if (section->failed)
		out->failed = true;
	if (section->len == 0)
		return;
	buf_u8(out, kind);
	buf_string(out, section->data, section->len);
}

void
krl_put(const struct krl *krl, const struct sshkey *ca, uint64_t now,
    struct buf *out)
{
	struct cursor key = sshkey_blob(ca);
	struct buf certificates = BUF_INIT;

	buf_u64be(out, MAGIC);
	buf_u32be(out, FORMAT);
	buf_u64be(out, now); /* the version of this list */
	buf_u64be(out, now);
	buf_u64be(out, 0); /* flags */
	buf_text(out, ""); /* reserved */
	buf_text(out, "htsign");
	if (krl->serials.len > 0) {
		buf_string(&certificates, key.p, key.left);
		buf_text(&certificates, ""); /* reserved */
	}
	put_section(&certificates, SERIAL_LIST, &krl->serials);
	put_section(out, CERTIFICATES, &certificates);
	put_section(out, FINGERPRINTS_SHA256, &krl->keys);
	buf_free(&certificates);
}
