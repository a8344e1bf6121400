#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"
#include "pkg/envelope/sender_internal.h"

static int put_key_hash(
	struct buf *b, int64_t key, const uint8_t hash[static ENVELOPE_HASH_LEN], struct err *err)
{
	TRY(envelope_cbor_put_int(b, key, err));
	return envelope_cbor_put_bytes(b, hash, ENVELOPE_HASH_LEN, err);
}

static int put_key_uint(struct buf *b, int64_t key, uint64_t v, struct err *err)
{
	TRY(envelope_cbor_put_int(b, key, err));
	return envelope_cbor_put_uint(b, v, err);
}

static int put_key_text(struct buf *b, int64_t key, struct str s, struct err *err)
{
	TRY(envelope_cbor_put_int(b, key, err));
	return envelope_cbor_put_text(b, s, err);
}

static int put_recipient(struct buf *b, const struct envelope_recipient *r, struct err *err)
{
	if (r->alg != ENVELOPE_ALG_UMBRAL)
		return REFUSE(err, SHAPE, "a recipient of an unknown scheme");
	TRY(envelope_cbor_put_array(b, ENVELOPE_RECIPIENT_FIELDS, err));
	TRY(envelope_cbor_put_uint(b, r->alg, err));
	TRY(envelope_cbor_put_bytes(b, r->fp.b, sizeof(r->fp.b), err));
	TRY(envelope_cbor_put_uint(b, r->epoch, err));
	TRY(envelope_cbor_put_text(b, r->name, err));
	TRY(envelope_cbor_put_bytes(b, r->capsule, sizeof(r->capsule), err));
	return envelope_cbor_put_bytes(b, r->wrapped, sizeof(r->wrapped), err);
}

int envelope_recipients_encode(const struct envelope_header *h, struct buf *b, struct err *err)
{
	TRY(envelope_cbor_put_array(b, h->recipient_count, err));
	for (size_t i = 0; i < h->recipient_count; i++)
		TRY(put_recipient(b, &h->recipients[i], err));
	return 0;
}

static size_t attribute_count(const struct envelope_header *h)
{
	size_t n = 0;

	for (size_t i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		n += h->attributes[i].p != NULL;
	return n;
}

/* The table of attributes stands in the order of the encoded names. */
static int put_attributes(struct buf *b, const struct envelope_header *h, struct err *err)
{
	const size_t n = attribute_count(h);

	if (n == 0)
		return 0;
	TRY(envelope_cbor_put_int(b, HEADER_ATTRIBUTES, err));
	TRY(envelope_cbor_put_map(b, n, err));
	for (size_t i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		if (!h->attributes[i].p)
			continue;
		const char *name = envelope_attribute_name((enum envelope_attribute)i);
		TRY(envelope_cbor_put_text(b, base_str(name), err));
		TRY(envelope_cbor_put_text(b, h->attributes[i], err));
	}
	return 0;
}

/* Version, id, recipients, iat, kind and sender are always there. */
static size_t header_fields(const struct envelope_header *h)
{
	return 6u + h->has_exp + (attribute_count(h) > 0) + h->has_length + h->has_parent +
	       h->has_context;
}

static int put_header(struct buf *b, const struct envelope_header *h, struct err *err)
{
	TRY(envelope_cbor_put_map(b, header_fields(h), err));
	TRY(put_key_uint(b, HEADER_VERSION, ENVELOPE_VERSION, err));
	TRY(envelope_cbor_put_int(b, HEADER_ID, err));
	TRY(envelope_cbor_put_bytes(b, h->id, sizeof(h->id), err));
	TRY(envelope_cbor_put_int(b, HEADER_RECIPIENTS, err));
	TRY(envelope_recipients_encode(h, b, err));
	TRY(put_key_uint(b, HEADER_IAT, h->iat, err));
	if (h->has_exp)
		TRY(put_key_uint(b, HEADER_EXP, h->exp, err));
	TRY(put_attributes(b, h, err));
	if (h->has_length)
		TRY(put_key_uint(b, HEADER_LENGTH, h->length, err));
	TRY(put_key_uint(b, HEADER_KIND, (uint64_t)h->kind, err));
	if (h->has_parent)
		TRY(put_key_hash(b, HEADER_PARENT, h->parent, err));
	TRY(put_key_uint(b, HEADER_SENDER, (uint64_t)h->sender, err));
	if (h->has_context)
		TRY(put_key_hash(b, HEADER_CONTEXT, h->context, err));
	return 0;
}

static int put_crit(struct buf *b, struct err *err)
{
	TRY(envelope_cbor_put_int(b, COSE_CRIT, err));
	TRY(envelope_cbor_put_array(b, 1, err));
	return envelope_cbor_put_int(b, COSE_FUNCTIONKEY, err);
}

static int put_protected(struct buf *b, const struct envelope_header *h, struct err *err)
{
	const bool whole = h->mode == ENVELOPE_WHOLE;

	TRY(envelope_cbor_put_map(b, whole ? 6 : 5, err));
	TRY(envelope_cbor_put_int(b, COSE_ALG, err));
	TRY(envelope_cbor_put_int(b, whole ? COSE_ALG_A256GCM : COSE_ALG_STREAM, err));
	TRY(put_crit(b, err));
	TRY(put_key_text(b, COSE_CONTENT_TYPE, h->type, err));
	if (whole) {
		TRY(envelope_cbor_put_int(b, COSE_IV, err));
		TRY(envelope_cbor_put_bytes(b, h->iv, sizeof(h->iv), err));
	}
	TRY(put_key_text(
		b, COSE_TYP, whole ? STR(ENVELOPE_TYP_WHOLE) : STR(ENVELOPE_TYP_STREAM), err));
	TRY(envelope_cbor_put_int(b, COSE_FUNCTIONKEY, err));
	return put_header(b, h, err);
}

int envelope_header_encode(const struct envelope_header *h, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	TRY(envelope_header_check(h, err));
	const int r = put_protected(out, h, err);
	if (r < 0) {
		out->len = start;
		return r;
	}
	if (out->len - start > ENVELOPE_PROTECTED_MAX) {
		out->len = start;
		return REFUSE(err, SIZE, "the protected header");
	}
	return 0;
}
