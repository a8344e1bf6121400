#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"

/* One entry of a map with fixed keys. Entries stand in the order of their keys, which is the
 * order in which they must come. */
struct field {
	int64_t key;
	bool required;
	int (*read)(struct envelope_cbor *d, struct envelope_header *h, struct err *err);
};

#define FIELDS_MAX 32 /* of a map or an array; what is more is not looked at */

struct fields {
	const struct field *v;
	size_t n;
};

static int missing(const struct fields *fields, uint32_t seen, struct err *err)
{
	for (size_t i = 0; i < fields->n; i++)
		if (fields->v[i].required && !(seen & 1u << i))
			return REFUSE(err, SHAPE, "a required field is missing");
	return 0;
}

/* The reader refuses keys that do not ascend: one walk along both lists is enough. */
static int read_map(struct envelope_cbor *d, const struct fields *fields, struct envelope_header *h,
	struct err *err)
{
	uint32_t seen = 0;
	size_t n = 0;
	size_t at = 0;

	TRY(envelope_cbor_map(d, 1, FIELDS_MAX, &n, err));
	for (size_t i = 0; i < n; i++) {
		int64_t key = 0;
		TRY(envelope_cbor_int(d, &key, err));
		while (at < fields->n && fields->v[at].key != key)
			at++;
		if (at == fields->n)
			return REFUSE(err, SHAPE, "unknown field");
		TRY(fields->v[at].read(d, h, err));
		seen |= 1u << at;
	}
	TRY(missing(fields, seen, err));
	return envelope_cbor_leave(d, err);
}

static int read_fixed(struct envelope_cbor *d, uint8_t *to, size_t n, struct err *err)
{
	struct str s = STR_NULL;

	TRY(envelope_cbor_bytes(d, n, n, &s, err));
	memcpy(to, s.p, n);
	return 0;
}

static int read_version(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	uint64_t v = 0;

	(void)h;
	TRY(envelope_cbor_uint(d, UINT64_MAX, &v, err));
	if (v != ENVELOPE_VERSION)
		return REFUSE(err, VERSION, "the header's version");
	return 0;
}

static int read_id(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	return read_fixed(d, h->id, sizeof(h->id), err);
}

/* An entry of a scheme that this version does not know: a selector, then items without structure
 * of which nothing is kept. */
static int read_other_recipient(
	struct envelope_cbor *d, size_t items, struct envelope_recipient *r, struct err *err)
{
	TRY(read_fixed(d, r->fp.b, sizeof(r->fp.b), err));
	for (size_t i = 2; i < items; i++)
		TRY(envelope_cbor_skip_flat(d, err));
	return envelope_cbor_leave(d, err);
}

static int read_recipient(struct envelope_cbor *d, struct envelope_recipient *r, struct err *err)
{
	size_t items = 0;

	TRY(envelope_cbor_array(d, 2, FIELDS_MAX, &items, err));
	TRY(envelope_cbor_uint(d, UINT64_MAX, &r->alg, err));
	if (r->alg != ENVELOPE_ALG_UMBRAL)
		return read_other_recipient(d, items, r, err);
	if (items != ENVELOPE_RECIPIENT_FIELDS)
		return REFUSE(err, SHAPE, "a recipient has other fields");
	TRY(read_fixed(d, r->fp.b, sizeof(r->fp.b), err));
	TRY(envelope_cbor_uint(d, UINT64_MAX, &r->epoch, err));
	TRY(envelope_cbor_text(d, 3, ENVELOPE_NAME_MAX, &r->name, err));
	TRY(read_fixed(d, r->capsule, sizeof(r->capsule), err));
	TRY(read_fixed(d, r->wrapped, sizeof(r->wrapped), err));
	return envelope_cbor_leave(d, err);
}

static int read_recipients(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	const size_t start = d->at;

	TRY(envelope_cbor_array(d, 0, ENVELOPE_RECIPIENTS_MAX, &h->recipient_count, err));
	for (size_t i = 0; i < h->recipient_count; i++)
		TRY(read_recipient(d, &h->recipients[i], err));
	TRY(envelope_cbor_leave(d, err));
	h->recipient_bytes = base_str_n(d->p + start, d->at - start);
	return 0;
}

static int read_iat(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	return envelope_cbor_uint(d, UINT64_MAX, &h->iat, err);
}

static int read_exp(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	h->has_exp = true;
	return envelope_cbor_uint(d, UINT64_MAX, &h->exp, err);
}

static int read_attributes(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	size_t n = 0;

	/* Not zero: an absent map must be the only form of no attributes. */
	TRY(envelope_cbor_map(d, 1, ENVELOPE_ATTRIBUTE_COUNT, &n, err));
	for (size_t i = 0; i < n; i++) {
		struct str key = STR_NULL;
		size_t a = 0;
		TRY(envelope_cbor_text(d, 1, 20, &key, err));
		while (a < ENVELOPE_ATTRIBUTE_COUNT &&
			!base_str_eq(
				key, base_str(envelope_attribute_name((enum envelope_attribute)a))))
			a++;
		if (a == ENVELOPE_ATTRIBUTE_COUNT)
			return REFUSE(err, SHAPE, "unknown attribute");
		TRY(envelope_cbor_text(d, 0, ENVELOPE_ATTRIBUTE_MAX, &h->attributes[a], err));
	}
	return envelope_cbor_leave(d, err);
}

static int read_length(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	h->has_length = true;
	return envelope_cbor_uint(d, UINT64_MAX, &h->length, err);
}

static int read_kind(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	uint64_t v = 0;

	TRY(envelope_cbor_uint(d, ENVELOPE_KIND_COUNT - 1, &v, err));
	h->kind = (enum envelope_kind)v;
	return 0;
}

static int read_parent(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	h->has_parent = true;
	return read_fixed(d, h->parent, sizeof(h->parent), err);
}

static int read_sender(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	uint64_t v = 0;

	TRY(envelope_cbor_uint(d, ENVELOPE_SENDER_COUNT - 1, &v, err));
	h->sender = (enum envelope_sender_level)v;
	return 0;
}

static int read_context(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	h->has_context = true;
	return read_fixed(d, h->context, sizeof(h->context), err);
}

static const struct field header_fields[] = {
	{HEADER_VERSION, true, read_version},
	{HEADER_ID, true, read_id},
	{HEADER_RECIPIENTS, true, read_recipients},
	{HEADER_IAT, true, read_iat},
	{HEADER_EXP, false, read_exp},
	{HEADER_ATTRIBUTES, false, read_attributes},
	{HEADER_LENGTH, false, read_length},
	{HEADER_KIND, true, read_kind},
	{HEADER_PARENT, false, read_parent},
	{HEADER_SENDER, true, read_sender},
	{HEADER_CONTEXT, false, read_context},
};

static int read_alg(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	int64_t v = 0;

	TRY(envelope_cbor_int(d, &v, err));
	if (v != COSE_ALG_A256GCM && v != COSE_ALG_STREAM)
		return REFUSE(err, VERSION, "the body's algorithm");
	h->mode = v == COSE_ALG_STREAM ? ENVELOPE_STREAM : ENVELOPE_WHOLE;
	return 0;
}

static int read_crit(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	int64_t v = 0;
	size_t n = 0;

	(void)h;
	TRY(envelope_cbor_array(d, 1, 1, &n, err));
	TRY(envelope_cbor_int(d, &v, err));
	if (v != COSE_FUNCTIONKEY)
		return REFUSE(err, VERSION, "a critical header");
	return envelope_cbor_leave(d, err);
}

static int read_type(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	return envelope_cbor_text(d, 1, ENVELOPE_TYPE_MAX, &h->type, err);
}

static int read_iv(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	return read_fixed(d, h->iv, sizeof(h->iv), err);
}

static int read_typ(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	struct str typ = STR_NULL;

	TRY(envelope_cbor_text(d, 1, ENVELOPE_TYPE_MAX, &typ, err));
	if (!base_str_eq(typ, h->mode == ENVELOPE_STREAM ? STR(ENVELOPE_TYP_STREAM)
							 : STR(ENVELOPE_TYP_WHOLE)))
		return REFUSE(err, VERSION, "the envelope's type");
	return 0;
}

static int read_header(struct envelope_cbor *d, struct envelope_header *h, struct err *err)
{
	return read_map(
		d, &(struct fields){.v = header_fields, .n = ARRAY_LEN(header_fields)}, h, err);
}

/* With an IV for whole bodies, without for streams: the encoded alg, right behind the map's first
 * byte, says which. */
static const struct field whole_fields[] = {
	{COSE_ALG, true, read_alg},
	{COSE_CRIT, true, read_crit},
	{COSE_CONTENT_TYPE, true, read_type},
	{COSE_IV, true, read_iv},
	{COSE_TYP, true, read_typ},
	{COSE_FUNCTIONKEY, true, read_header},
};

static const struct field stream_fields[] = {
	{COSE_ALG, true, read_alg},
	{COSE_CRIT, true, read_crit},
	{COSE_CONTENT_TYPE, true, read_type},
	{COSE_TYP, true, read_typ},
	{COSE_FUNCTIONKEY, true, read_header},
};

static bool looks_like_stream(struct str protected)
{
	return protected.n > 2 && (uint8_t) protected.p[2] >> 5 == 1;
}

int envelope_header_decode(struct str protected, struct envelope_header *ret, struct err *err)
{
	struct envelope_cbor d = envelope_cbor(protected, false);
	struct envelope_header h = {0};

	if (protected.n > ENVELOPE_PROTECTED_MAX)
		return REFUSE(err, SIZE, "the protected header");
	const struct fields fields =
		looks_like_stream(protected)
			? (struct fields){.v = stream_fields, .n = ARRAY_LEN(stream_fields)}
			: (struct fields){.v = whole_fields, .n = ARRAY_LEN(whole_fields)};
	TRY(read_map(&d, &fields, &h, err));
	TRY(envelope_cbor_end(&d, err));
	TRY(envelope_header_check(&h, err));
	*ret = h;
	return 0;
}
