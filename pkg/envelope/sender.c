#include "pkg/envelope/sender.h"

#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"
#include "pkg/envelope/sender_internal.h"

#define CERT_VERSION 1
#define BODY_FIELDS  12
#define LABEL_MAX    63

/* A name in a certificate: it reaches logs, headers, and comparisons with API objects. */
static bool name_ok(struct str s, size_t max, bool label_value)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool lower =
			(c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
		if (!lower && !(label_value && ((c >= 'A' && c <= 'Z') || c == '_')))
			return false;
	}
	return true;
}

struct name {
	size_t at;
	size_t max;
	bool label_value; /* upper case and '_' too */
};

static const struct name names[] = {
	{offsetof(struct envelope_sender_cert, cluster), LABEL_MAX, false},
	{offsetof(struct envelope_sender_cert, ns), LABEL_MAX, false},
	{offsetof(struct envelope_sender_cert, function), LABEL_MAX, true},
	{offsetof(struct envelope_sender_cert, revision), ENVELOPE_CERT_TEXT_MAX, false},
	{offsetof(struct envelope_sender_cert, pod), ENVELOPE_CERT_TEXT_MAX, false},
};

static const size_t numbers[] = {
	offsetof(struct envelope_sender_cert, epoch),
	offsetof(struct envelope_sender_cert, term),
	offsetof(struct envelope_sender_cert, nbf),
	offsetof(struct envelope_sender_cert, exp),
};

static struct str *name_at(struct envelope_sender_cert *c, size_t i)
{
	return (struct str *)(void *)((char *)c + names[i].at);
}

static int64_t *number_at(struct envelope_sender_cert *c, size_t i)
{
	return (int64_t *)(void *)((char *)c + numbers[i]);
}

static bool point_form(const struct pre_public_key *key)
{
	return key->b[0] == 2 || key->b[0] == 3;
}

/* What both directions hold to, beyond types and sizes. */
static int check(const struct envelope_sender_cert *c, struct err *err)
{
	struct envelope_sender_cert copy = *c;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!name_ok(*name_at(&copy, i), names[i].max, names[i].label_value))
			return REFUSE(err, SHAPE, "a name in the sender's certificate");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (*number_at(&copy, i) < 0)
			return REFUSE(err, SHAPE, "a number in the sender's certificate");
	if (c->nbf > c->exp)
		return REFUSE(err, SHAPE, "the sender's certificate ends before it begins");
	if (!point_form(&c->key))
		return REFUSE(err, SHAPE, "the key in the sender's certificate");
	return 0;
}

static int put_body(const struct envelope_sender_cert *c, struct buf *out, struct err *err)
{
	struct envelope_sender_cert copy = *c;

	TRY(envelope_cbor_put_array(out, BODY_FIELDS, err));
	TRY(envelope_cbor_put_uint(out, CERT_VERSION, err));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		TRY(envelope_cbor_put_text(out, *name_at(&copy, i), err));
	TRY(envelope_cbor_put_bytes(out, c->uid, sizeof(c->uid), err));
	TRY(envelope_cbor_put_bytes(out, c->key.b, sizeof(c->key.b), err));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		TRY(envelope_cbor_put_uint(out, (uint64_t)*number_at(&copy, i), err));
	return 0;
}

/* The array of three, the body's head, issuer and signature. */
#define AROUND_BODY (1 + 3 + 2 + PRE_POINT_LEN + 2 + PRE_SIG_LEN)

int envelope_sender_cert_body(
	const struct envelope_sender_cert *c, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	TRY(check(c, err));
	int r = put_body(c, out, err);
	if (r == 0 && out->len - start > ENVELOPE_CERT_MAX - AROUND_BODY)
		r = REFUSE(err, SIZE, "the sender's certificate");
	if (r < 0)
		out->len = start;
	return r;
}

static int put_cert(const struct envelope_sender_cert *c, struct buf *out, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);

	TRY(envelope_sender_cert_body(c, &body, err));
	TRY(envelope_cbor_put_array(out, 3, err));
	TRY(envelope_cbor_put_bytes(out, body.data, body.len, err));
	TRY(envelope_cbor_put_bytes(out, c->issuer.b, sizeof(c->issuer.b), err));
	return envelope_cbor_put_bytes(out, c->signature.b, sizeof(c->signature.b), err);
}

int envelope_sender_cert_encode(
	const struct envelope_sender_cert *c, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	if (!point_form(&c->issuer))
		return REFUSE(err, SHAPE, "the issuer in the sender's certificate");
	const int r = put_cert(c, out, err);
	if (r < 0)
		out->len = start;
	return r;
}

static int read_fixed(struct envelope_cbor *d, uint8_t *to, size_t n, struct err *err)
{
	struct str s = STR_NULL;

	TRY(envelope_cbor_bytes(d, n, n, &s, err));
	memcpy(to, s.p, n);
	return 0;
}

static int read_body(struct str body, struct envelope_sender_cert *c, struct err *err)
{
	struct envelope_cbor d = envelope_cbor(body, false);
	uint64_t v = 0;
	size_t n = 0;

	TRY(envelope_cbor_array(&d, BODY_FIELDS, BODY_FIELDS, &n, err));
	TRY(envelope_cbor_uint(&d, UINT64_MAX, &v, err));
	if (v != CERT_VERSION)
		return REFUSE(err, VERSION, "the version of the sender's certificate");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		TRY(envelope_cbor_text(&d, 1, names[i].max, name_at(c, i), err));
	TRY(read_fixed(&d, c->uid, sizeof(c->uid), err));
	TRY(read_fixed(&d, c->key.b, sizeof(c->key.b), err));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		TRY(envelope_cbor_uint(&d, INT64_MAX, &v, err));
		*number_at(c, i) = (int64_t)v;
	}
	TRY(envelope_cbor_leave(&d, err));
	return envelope_cbor_end(&d, err);
}

int envelope_sender_cert_read(
	struct str bytes, struct envelope_sender_cert *ret, size_t *ret_len, struct err *err)
{
	const struct str in = base_str_sub(bytes, 0, ENVELOPE_CERT_MAX);
	struct envelope_cbor d = envelope_cbor(in, false);
	struct envelope_sender_cert c = {0};
	size_t n = 0;

	TRY(envelope_cbor_array(&d, 3, 3, &n, err));
	TRY(envelope_cbor_bytes(&d, 1, ENVELOPE_CERT_MAX - AROUND_BODY, &c.body, err));
	TRY(read_body(c.body, &c, err));
	TRY(read_fixed(&d, c.issuer.b, sizeof(c.issuer.b), err));
	TRY(read_fixed(&d, c.signature.b, sizeof(c.signature.b), err));
	TRY(envelope_cbor_leave(&d, err));
	TRY(check(&c, err));
	if (!point_form(&c.issuer))
		return REFUSE(err, SHAPE, "the issuer in the sender's certificate");
	*ret = c;
	*ret_len = d.at;
	return 0;
}

int envelope_sender_cert_parse(struct str bytes, struct envelope_sender_cert *ret, struct err *err)
{
	struct envelope_sender_cert c;
	size_t n = 0;

	if (bytes.n > ENVELOPE_CERT_MAX)
		return REFUSE(err, SIZE, "the sender's certificate");
	TRY(envelope_sender_cert_read(bytes, &c, &n, err));
	if (n != bytes.n)
		return REFUSE(err, TRAILING, "bytes after the sender's certificate");
	*ret = c;
	return 0;
}

int envelope_sender_cert_at(const struct envelope_sender_cert *c, int64_t when, struct err *err)
{
	if (when < 0 || c->nbf - ENVELOPE_SENDER_SKEW_S > when)
		return REFUSE(err, SENDER_EXPIRED, "the certificate is not good yet");
	if (when - ENVELOPE_SENDER_SKEW_S > c->exp)
		return REFUSE(err, SENDER_EXPIRED, "the certificate is not good any more");
	return 0;
}

int envelope_sender_cert_verify(struct pre_context *pre, const struct envelope_sender_cert *c,
	const struct pre_public_key *issuer, int64_t when, struct err *err)
{
	struct err why = {0};

	if (c->body.n == 0)
		return FAIL(err, ERR_BUG, "a certificate that was not parsed");
	if (issuer && !pre_public_key_eq(issuer, &c->issuer))
		return REFUSE(err, SENDER_CERTIFICATE, "another issuer");
	const int r =
		pre_verify(pre, &c->issuer, ENVELOPE_CERT_CONTEXT, c->body, &c->signature, &why);
	if (r == -(int)ERR_TAMPERED)
		return REFUSE(err, SENDER_CERTIFICATE, "not signed by its issuer");
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	return envelope_sender_cert_at(c, when, err);
}

int envelope_sender_cert_hash(struct envelope_context *ctx, struct str cert,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err)
{
	return envelope_hash(ctx, cert, ret_hash, err);
}
