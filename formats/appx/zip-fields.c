#include "config.h"

#include "formats/appx/zip-private.h"

int
zip_damaged(struct ht_error *e, uint64_t offset, const char *what)
{
	return ht_error_at(e, HT_ERR_DATA, offset, "ZIP: %s", what);
}

int
zip_field64(struct cursor extra, struct cursor *field)
{
	struct cursor data;
	uint16_t id;
	uint16_t n;

	*field = cursor_over(NULL, 0);
	while (extra.left > 0) {
		if (cursor_u16le(&extra, &id) < 0 ||
		    cursor_u16le(&extra, &n) < 0 ||
		    cursor_bytes(&extra, n, &data) < 0)
			return HT_ERR_DATA;
		if (id != ZIP_EXTRA_64)
			continue;
		if (field->p != NULL)
			return HT_ERR_DATA;
		*field = data;
	}
	return 0;
}

int
zip_widen(struct cursor *field, uint32_t narrow, uint64_t *value)
{
	*value = narrow;
	return narrow == ZIP_SEE_64 ? cursor_u64le(field, value) : 0;
}
