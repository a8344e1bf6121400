/* The vectors that an independent Python program made: every byte of what we make, and every
 * refusal with its reason. */
#include "pkg/envelope/vectors_test.h"

#include "pkg/base/env.h"
#include "pkg/envelope/body.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/signed.h"

#define MESSAGE_MAX (2u << 20)

struct world {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
};

static int setup(void **state)
{
	static struct world w;

	w.env = base_env_system();
	assert_ok("setup", envelope_context_new(&w.env, &w.ctx, err));
	assert_ok("setup", pre_context_new(&w.env, &w.pre, err));
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->ctx = envelope_context_free(w->ctx);
	w->pre = pre_context_free(w->pre);
	assert_int_equal(base_alloc_live(), 0);
	return 0;
}

/* One vector with memory for what its header borrows. */
struct vector {
	struct str row;
	char name[64];
	struct envelope_header header;
	struct secret k;
	struct buf text; /* attribute values */
	struct buf plaintext;
};

static void vector_done(struct vector *v)
{
	base_buf_done(&v->text);
	base_buf_done(&v->plaintext);
}
CLEANUP_DONE(struct vector, vector_done);

static void read_recipient(struct vector *v, size_t i)
{
	struct envelope_recipient *r = &v->header.recipients[i];
	char key[40];
#define KEY(what) ((void)snprintf(key, sizeof(key), "recipient%zu_" what, i), key)

	r->alg = ENVELOPE_ALG_UMBRAL;
	r->epoch = vectors_number(v->row, KEY("epoch"));
	r->name = vectors_get(v->row, KEY("name"));
	vectors_bytes(v->row, KEY("fp"), r->fp.b, sizeof(r->fp.b));
	vectors_bytes(v->row, KEY("capsule"), r->capsule, sizeof(r->capsule));
	vectors_bytes(v->row, KEY("wrapped"), r->wrapped, sizeof(r->wrapped));
#undef KEY
}

static void read_optional(struct vector *v)
{
	struct envelope_header *h = &v->header;

	h->has_exp = vectors_get(v->row, "exp").p != NULL;
	if (h->has_exp)
		h->exp = vectors_number(v->row, "exp");
	h->has_length = vectors_get(v->row, "length").p != NULL;
	if (h->has_length)
		h->length = vectors_number(v->row, "length");
	h->has_parent = vectors_get(v->row, "parent").p != NULL;
	if (h->has_parent)
		vectors_bytes(v->row, "parent", h->parent, sizeof(h->parent));
	h->has_context = vectors_get(v->row, "context").p != NULL;
	if (h->has_context)
		vectors_bytes(v->row, "context", h->context, sizeof(h->context));
	for (size_t a = 0; a < ENVELOPE_ATTRIBUTE_COUNT; a++) {
		char key[40];
		(void)snprintf(key, sizeof(key), "ce_%s",
			envelope_attribute_name((enum envelope_attribute)a));
		if (vectors_get(v->row, key).p)
			h->attributes[a] = vectors_hex(v->row, key, &v->text);
	}
}

static void read_plaintext(struct vector *v)
{
	uint8_t *p = NULL;

	if (vectors_get(v->row, "plaintext").p) {
		(void)vectors_hex(v->row, "plaintext", &v->plaintext);
		return;
	}
	const size_t n = vectors_number(v->row, "plaintext_size");
	assert_ok(v->name, base_buf_room(&v->plaintext, n, &p, err));
	vectors_pattern(p, n);
	base_buf_added(&v->plaintext, n);
}

static void read_vector(struct vector *v)
{
	struct envelope_header *h = &v->header;
	const struct str name = vectors_get(v->row, "id");

	(void)snprintf(v->name, sizeof(v->name), "%.*s", STR_FMT(name));
	v->text = base_buf(4096);
	v->plaintext = base_buf(MESSAGE_MAX);
	/* Slices into text must not move. */
	uint8_t *p = NULL;
	assert_ok(v->name, base_buf_room(&v->text, 4096, &p, err));
	h->mode = base_str_eq(vectors_get(v->row, "mode"), STR("stream")) ? ENVELOPE_STREAM
									  : ENVELOPE_WHOLE;
	h->kind = (enum envelope_kind)vectors_number(v->row, "kind");
	h->sender = (enum envelope_sender_level)vectors_number(v->row, "sender");
	h->type = vectors_get(v->row, "type");
	h->iat = vectors_number(v->row, "iat");
	vectors_bytes(v->row, "message_id", h->id, sizeof(h->id));
	if (h->mode == ENVELOPE_WHOLE)
		vectors_bytes(v->row, "iv", h->iv, sizeof(h->iv));
	vectors_bytes(v->row, "k", v->k.b, sizeof(v->k.b));
	read_optional(v);
	for (;; h->recipient_count++) {
		char key[40];
		(void)snprintf(key, sizeof(key), "recipient%zu_fp", h->recipient_count);
		if (!vectors_get(v->row, key).p)
			break;
		read_recipient(v, h->recipient_count);
	}
	read_plaintext(v);
}

/* Seals in chunks of `chunk` bytes. */
static void seal_in_chunks(struct world *w, const struct vector *v, size_t chunk, struct buf *out)
{
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	const struct str plain = base_buf_str(&v->plaintext);

	assert_ok(v->name, envelope_sealer_begin(&s, w->ctx, &v->header, &v->k, out, err));
	for (size_t at = 0; at < plain.n; at += chunk)
		assert_ok(v->name,
			envelope_sealer_add(&s, base_str_sub(plain, at, at + chunk), out, err));
	assert_ok(v->name, envelope_sealer_end(&s, out, err));
}

static void open_in_chunks(struct world *w, const struct vector *v, struct str sealed, size_t chunk)
{
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
	struct envelope_message m;

	assert_ok(v->name, envelope_parse(sealed, &m, err));
	assert_ok(v->name, envelope_opener_begin(&o, w->ctx, &m, &v->k, err));
	for (size_t at = m.body_at; at < sealed.n; at += chunk)
		assert_ok(v->name,
			envelope_opener_add(&o, base_str_sub(sealed, at, at + chunk), &out, err));
	assert_ok(v->name, envelope_opener_end(&o, &out, err));
	assert_true(base_str_eq(base_buf_str(&out), base_buf_str(&v->plaintext)));
}

static void check_bytes(struct world *w, const struct vector *v, struct str sealed)
{
	_cleanup_(base_buf_done) struct buf want = base_buf(MESSAGE_MAX);
	uint8_t digest[ENVELOPE_HASH_LEN];
	uint8_t want_digest[ENVELOPE_HASH_LEN];

	if (vectors_get(v->row, "message").p) {
		if (!base_str_eq(vectors_hex(v->row, "message", &want), sealed))
			fail_msg("%s: other bytes", v->name);
		return;
	}
	vectors_bytes(v->row, "message_sha256", want_digest, sizeof(want_digest));
	assert_ok(v->name, envelope_hash(w->ctx, sealed, digest, err));
	if (memcmp(digest, want_digest, sizeof(digest)) != 0)
		fail_msg("%s: other bytes", v->name);
}

/* Each recipient's secret opens the message; what comes out has the header that went in. */
static void open_by_each(struct world *w, const struct vector *v, struct str sealed)
{
	for (size_t i = 0; i < v->header.recipient_count; i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
		_cleanup_(base_buf_done) struct buf again = base_buf(ENVELOPE_PROTECTED_MAX + 1);
		struct envelope_message m;
		struct secret sk;
		char key[40];

		(void)snprintf(key, sizeof(key), "recipient%zu_sk", i);
		vectors_bytes(v->row, key, sk.b, sizeof(sk.b));
		const struct envelope_opening with = {.secret = &sk,
			.fp = &v->header.recipients[i].fp,
			.kinds = 1u << v->header.kind};
		assert_ok(v->name, envelope_open(w->ctx, w->pre, &with, sealed, &out, &m, err));
		assert_true(base_str_eq(base_buf_str(&out), base_buf_str(&v->plaintext)));
		assert_ok(v->name, envelope_header_encode(&m.header, &again, err));
		assert_true(base_str_eq(base_buf_str(&again), m.protected));
	}
}

static void check_positive(struct world *w, struct str row)
{
	static const size_t chunks[] = {1, 1000, 65535, 65536, 65537, 65552, 262144, MESSAGE_MAX};
	_cleanup_(vector_done) struct vector v = {.row = row};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(MESSAGE_MAX);

	read_vector(&v);
	if (v.header.mode == ENVELOPE_WHOLE)
		assert_ok(v.name, envelope_body_seal(w->ctx, &v.header, &v.k,
					  base_buf_str(&v.plaintext), &sealed, err));
	else
		seal_in_chunks(w, &v, MESSAGE_MAX, &sealed);
	check_bytes(w, &v, base_buf_str(&sealed));
	open_by_each(w, &v, base_buf_str(&sealed));
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		_cleanup_(base_buf_done) struct buf same = base_buf(MESSAGE_MAX);
		open_in_chunks(w, &v, base_buf_str(&sealed), chunks[i]);
		if (v.header.mode == ENVELOPE_WHOLE && !v.header.has_length)
			continue;
		seal_in_chunks(w, &v, chunks[i], &same);
		assert_true(base_str_eq(base_buf_str(&same), base_buf_str(&sealed)));
	}
}

static size_t each(struct world *w, const char *path, void (*check)(struct world *, struct str))
{
	_cleanup_(base_buf_done) struct buf file = vectors_read(path);
	size_t at = 0;
	size_t n = 0;

	for (;; n++) {
		const struct str row = vectors_next(base_buf_str(&file), &at);
		if (!row.p)
			return n;
		check(w, row);
	}
}

static void whole_vectors(void **state)
{
	assert_true(each(*state, "pkg/envelope/vectors/whole.json", check_positive) >= 17);
}

static void stream_vectors(void **state)
{
	assert_true(each(*state, "pkg/envelope/vectors/stream.json", check_positive) >= 13);
}

static void check_negative(struct world *w, struct str row)
{
	_cleanup_(base_buf_done) struct buf message = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
	struct pre_fingerprint fp;
	struct secret sk;
	struct err err = {0};
	const struct str name = vectors_get(row, "id");
	const struct str reason = vectors_get(row, "reason");

	vectors_bytes(row, "sk", sk.b, sizeof(sk.b));
	vectors_bytes(row, "fp", fp.b, sizeof(fp.b));
	const struct envelope_opening with = {
		.secret = &sk, .fp = &fp, .kinds = (unsigned)vectors_number(row, "kinds")};
	const int r = envelope_open(
		w->ctx, w->pre, &with, vectors_hex(row, "message", &message), &out, NULL, &err);
	if (r >= 0)
		fail_msg("%.*s: opened", STR_FMT(name));
	if (!base_str_eq(base_str(envelope_reason_name(err.detail)), reason))
		fail_msg("%.*s: wanted %.*s, got %s", STR_FMT(name), STR_FMT(reason), err.msg);
	assert_int_equal(out.len, 0);
}

static void negative_vectors(void **state)
{
	assert_true(each(*state, "pkg/envelope/vectors/negative.json", check_negative) >= 150);
}

/* -- messages with a sender -- */

static int open_signed(struct world *w, const struct secret *sk, const struct pre_fingerprint *fp,
	struct str sealed, struct envelope_signed_opener *o, struct buf *out, struct err *why)
{
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre};
	struct envelope_message m;
	struct str body = STR_NULL;
	struct secret k;

	TRY(envelope_parse_whole(sealed, &m, &body, why));
	const struct envelope_recipient *r = envelope_recipient_find(&m.header, fp);
	assert_non_null(r);
	TRY(envelope_recipient_unwrap(w->pre, sk, r, &k, why));
	TRY(envelope_signed_opener_begin(o, &check, &m, &k, why));
	TRY(envelope_signed_opener_add(o, body, out, why));
	TRY(envelope_signed_opener_end(o, out, why));
	return 0;
}

static void check_certificate(const struct vector *v, struct str cert)
{
	_cleanup_(base_buf_done) struct buf again = base_buf(ENVELOPE_CERT_MAX);
	struct envelope_sender_cert c;
	struct pre_public_key key;

	assert_ok(v->name, envelope_sender_cert_parse(cert, &c, err));
	assert_ok(v->name, envelope_sender_cert_encode(&c, &again, err));
	assert_true(base_str_eq(base_buf_str(&again), cert));
	vectors_bytes(v->row, "key", key.b, sizeof(key.b));
	assert_memory_equal(key.b, c.key.b, sizeof(key.b));
	vectors_bytes(v->row, "issuer", key.b, sizeof(key.b));
	assert_memory_equal(key.b, c.issuer.b, sizeof(key.b));
}

/* What is signed is what the vector says; then the signature that it has is put in. */
static void check_signing(const struct vector *v, const char *key, const struct envelope_signing *s,
	struct pre_signature *ret)
{
	_cleanup_(base_buf_done) struct buf want = base_buf(ENVELOPE_SIGNING_BYTES_MAX);
	const struct envelope_signing_bytes b = envelope_signing_bytes(s);
	char name[32];

	(void)snprintf(name, sizeof(name), "%s_signed", key);
	assert_true(base_str_eq(vectors_hex(v->row, name, &want), base_str_n(b.b, b.n)));
	vectors_bytes(v->row, key, ret->b, sizeof(ret->b));
}

static void seal_signed(struct world *w, const struct vector *v, struct str cert, struct buf *out)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	const bool message = v->header.sender == ENVELOPE_SENDER_MESSAGE;
	const bool has_origin = vectors_get(v->row, "origin").p != NULL;
	struct pre_signature origin;
	struct pre_signature tail;
	struct envelope_signing signing;
	uint8_t hash[ENVELOPE_HASH_LEN];

	assert_ok(v->name, envelope_sender_cert_hash(w->ctx, cert, hash, err));
	assert_ok(v->name, envelope_origin_signing(w->ctx, &v->header, &v->k, hash, &signing, err));
	if (has_origin)
		check_signing(v, "origin", &signing, &origin);
	const struct envelope_credentials with = {
		.cert = cert, .origin = has_origin ? &origin : NULL};
	assert_ok(v->name,
		envelope_signed_sealer_begin(&s, w->ctx, &v->header, &v->k, &with, out, err));
	assert_ok(v->name, envelope_signed_sealer_add(&s, base_buf_str(&v->plaintext), out, err));
	if (message) {
		assert_ok(v->name, envelope_signed_sealer_signing(&s, &signing, err));
		check_signing(v, "tail", &signing, &tail);
	}
	assert_ok(v->name, envelope_signed_sealer_end(&s, message ? &tail : NULL, out, err));
}

static void check_signed(struct world *w, struct str row)
{
	_cleanup_(vector_done) struct vector v = {.row = row};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf cert = base_buf(ENVELOPE_CERT_MAX);

	read_vector(&v);
	const struct str cert_bytes = vectors_hex(row, "cert", &cert);
	check_certificate(&v, cert_bytes);
	if (v.header.mode == ENVELOPE_WHOLE && !v.header.has_length)
		fail_msg("%s: no length", v.name);
	seal_signed(w, &v, cert_bytes, &sealed);
	check_bytes(w, &v, base_buf_str(&sealed));
	for (size_t i = 0; i < v.header.recipient_count; i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
		_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
		struct secret sk;
		char key[40];
		(void)snprintf(key, sizeof(key), "recipient%zu_sk", i);
		vectors_bytes(row, key, sk.b, sizeof(sk.b));
		assert_ok(v.name, open_signed(w, &sk, &v.header.recipients[i].fp,
					  base_buf_str(&sealed), &o, &out, err));
		assert_true(base_str_eq(base_buf_str(&out), base_buf_str(&v.plaintext)));
		assert_int_equal(envelope_signed_opener_level(&o), v.header.sender);
	}
}

static void signed_vectors(void **state)
{
	assert_true(each(*state, "pkg/envelope/vectors/signed.json", check_signed) >= 19);
}

static void check_signed_negative(struct world *w, struct str row)
{
	_cleanup_(base_buf_done) struct buf message = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	struct pre_fingerprint fp;
	struct secret sk;
	struct err why = {0};
	const struct str name = vectors_get(row, "id");

	vectors_bytes(row, "sk", sk.b, sizeof(sk.b));
	vectors_bytes(row, "fp", fp.b, sizeof(fp.b));
	if (open_signed(w, &sk, &fp, vectors_hex(row, "message", &message), &o, &out, &why) >= 0)
		fail_msg("%.*s: opened", STR_FMT(name));
	if (!base_str_eq(base_str(envelope_reason_name(why.detail)), vectors_get(row, "reason")))
		fail_msg("%.*s: got %s", STR_FMT(name), why.msg);
	assert_int_equal(out.len, 0);
}

static void signed_negative_vectors(void **state)
{
	assert_true(each(*state, "pkg/envelope/vectors/signed-negative.json",
			    check_signed_negative) >= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_vectors),
		cmocka_unit_test(stream_vectors),
		cmocka_unit_test(negative_vectors),
		cmocka_unit_test(signed_vectors),
		cmocka_unit_test(signed_negative_vectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
