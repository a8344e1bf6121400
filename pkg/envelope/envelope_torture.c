/* Every allocation of ours failed in turn, in sealing, opening, windows and the cache. */
#include "pkg/base/test.h"

#include "pkg/envelope/cache.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/signed.h"
#include "pkg/envelope/window.h"

#define OUT_MAX (1u << 20)

struct world {
	struct env env;
	struct pre_context *pre;
	struct envelope_context *ctx;
	struct secret sk;
	struct envelope_target target;
};

static int setup(void **state)
{
	static struct world w;

	w.env = base_env_system();
	assert_ok("setup", pre_context_new(&w.env, &w.pre, err));
	assert_ok("setup", envelope_context_new(&w.env, &w.ctx, err));
	assert_ok("setup", pre_keygen(w.pre, &w.sk, &w.target.key, err));
	w.target.name = STR("shop/orders");
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->pre = pre_context_free(w->pre);
	w->ctx = envelope_context_free(w->ctx);
	return 0;
}

static const struct envelope_header like = {.type = STR("text/plain")};

static int whole(void *arg, struct err *err)
{
	struct world *w = arg;
	_cleanup_(envelope_context_free) struct envelope_context *ctx = NULL;
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf plain = base_buf(OUT_MAX);
	const struct pre_fingerprint fp = pre_fingerprint(&w->target.key);
	const struct envelope_opening with = {
		.secret = &w->sk, .fp = &fp, .kinds = ENVELOPE_KINDS(EVENT)};
	const struct envelope_targets to = {.v = &w->target, .n = 1};

	TRY(envelope_context_new(&w->env, &ctx, err));
	const int r = envelope_seal(ctx, w->pre, &like, to, STR("hello"), &sealed, err);
	if (r < 0) {
		assert_int_equal(sealed.len, 0);
		return r;
	}
	TRY(envelope_open(ctx, w->pre, &with, base_buf_str(&sealed), &plain, NULL, err));
	assert_true(base_str_eq(base_buf_str(&plain), STR("hello")));
	return 0;
}

static int stream(void *arg, struct err *err)
{
	static uint8_t bytes[ENVELOPE_SEGMENT + 1];
	struct world *w = arg;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf plain = base_buf(OUT_MAX);
	const struct secret *k = NULL;
	struct envelope_header h = like;
	struct envelope_message m;

	h.mode = ENVELOPE_STREAM;
	TRY(envelope_windows_new(&w->env, w->pre, 4, &windows, err));
	TRY(envelope_window_use(
		windows, (struct envelope_targets){.v = &w->target, .n = 1}, &h, &k, err));
	TRY(envelope_header_fresh(w->ctx, &h, err));
	TRY(envelope_sealer_begin(&s, w->ctx, &h, k, &sealed, err));
	TRY(envelope_sealer_add(&s, base_str_n(bytes, sizeof(bytes)), &sealed, err));
	TRY(envelope_sealer_end(&s, &sealed, err));
	TRY(envelope_parse(base_buf_str(&sealed), &m, err));
	TRY(envelope_opener_begin(&o, w->ctx, &m, k, err));
	TRY(envelope_opener_add(
		&o, base_str_sub(base_buf_str(&sealed), m.body_at, sealed.len), &plain, err));
	TRY(envelope_opener_end(&o, &plain, err));
	assert_int_equal(plain.len, sizeof(bytes));
	return 0;
}

static int incremental_whole(void *arg, struct err *err)
{
	struct world *w = arg;
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf plain = base_buf(OUT_MAX);
	struct envelope_header h = like;
	struct envelope_message m;

	h.has_length = true;
	h.length = 5;
	h.recipient_count = 1;
	h.recipients[0] =
		(struct envelope_recipient){.alg = ENVELOPE_ALG_UMBRAL, .name = w->target.name};
	TRY(envelope_sealer_begin(&s, w->ctx, &h, &w->sk, &sealed, err));
	TRY(envelope_sealer_add(&s, STR("hello"), &sealed, err));
	TRY(envelope_sealer_end(&s, &sealed, err));
	TRY(envelope_parse(base_buf_str(&sealed), &m, err));
	TRY(envelope_opener_begin(&o, w->ctx, &m, &w->sk, err));
	TRY(envelope_opener_add(
		&o, base_str_sub(base_buf_str(&sealed), m.body_at, sealed.len), &plain, err));
	TRY(envelope_opener_end(&o, &plain, err));
	assert_true(base_str_eq(base_buf_str(&plain), STR("hello")));
	return 0;
}

static int certificate(struct world *w, struct buf *out, struct err *err)
{
	struct pre_public_key key;
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);

	TRY(pre_public_of(w->pre, &w->sk, &key, err));
	struct envelope_sender_cert c = {.cluster = STR("c"),
		.ns = STR("n"),
		.function = STR("f"),
		.revision = STR("r"),
		.pod = STR("p"),
		.key = key,
		.exp = 1,
		.issuer = key};
	TRY(envelope_sender_cert_body(&c, &body, err));
	TRY(pre_sign(
		w->pre, &w->sk, ENVELOPE_CERT_CONTEXT, base_buf_str(&body), &c.signature, err));
	return envelope_sender_cert_encode(&c, out, err);
}

static int sign(struct world *w, const struct envelope_signing *s, struct pre_signature *ret,
	struct err *err)
{
	const struct envelope_signing_bytes b = envelope_signing_bytes(s);

	return pre_sign_cose(w->pre, &w->sk, base_str_n(b.b, b.n), ret, err);
}

static int open_signed(struct world *w, struct str sealed, struct err *err)
{
	_cleanup_(envelope_verified_free) struct envelope_verified *v = NULL;
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	_cleanup_(base_buf_done) struct buf plain = base_buf(OUT_MAX);
	struct envelope_message m;

	TRY(envelope_verified_new(&w->env, 4, &v, err));
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre, .verified = v};
	TRY(envelope_parse(sealed, &m, err));
	TRY(envelope_signed_opener_begin(&o, &check, &m, &w->sk, err));
	TRY(envelope_signed_opener_add(&o, base_str_sub(sealed, m.body_at, sealed.n), &plain, err));
	const int r = envelope_signed_opener_end(&o, &plain, err);
	assert_true(base_str_eq(base_buf_str(&plain), r < 0 ? STR_NULL : STR("hello")));
	return r;
}

static int signed_message(struct world *w, enum envelope_mode mode, struct err *err)
{
	_cleanup_(base_buf_done) struct buf cert = base_buf(ENVELOPE_CERT_MAX);
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	uint8_t hash[ENVELOPE_HASH_LEN];
	struct envelope_header h = like;
	struct envelope_signing signing;
	struct pre_signature origin;
	struct pre_signature signature;

	TRY(certificate(w, &cert, err));
	h.mode = mode;
	h.sender = ENVELOPE_SENDER_MESSAGE;
	h.has_length = true;
	h.length = 5 + envelope_sender_overhead(&h, cert.len);
	h.recipient_count = 1;
	h.recipients[0] =
		(struct envelope_recipient){.alg = ENVELOPE_ALG_UMBRAL, .name = w->target.name};
	TRY(envelope_sender_cert_hash(w->ctx, base_buf_str(&cert), hash, err));
	TRY(envelope_origin_signing(w->ctx, &h, &w->sk, hash, &signing, err));
	TRY(sign(w, &signing, &origin, err));
	const struct envelope_credentials with = {
		.cert = base_buf_str(&cert), .origin = mode == ENVELOPE_STREAM ? &origin : NULL};
	TRY(envelope_signed_sealer_begin(&s, w->ctx, &h, &w->sk, &with, &sealed, err));
	TRY(envelope_signed_sealer_add(&s, STR("hello"), &sealed, err));
	TRY(envelope_signed_sealer_signing(&s, &signing, err));
	TRY(sign(w, &signing, &signature, err));
	TRY(envelope_signed_sealer_end(&s, &signature, &sealed, err));
	return open_signed(w, base_buf_str(&sealed), err);
}

static int signed_whole(void *arg, struct err *err)
{
	return signed_message(arg, ENVELOPE_WHOLE, err);
}

static int signed_stream(void *arg, struct err *err)
{
	return signed_message(arg, ENVELOPE_STREAM, err);
}

static int cache(void *arg, struct err *err)
{
	struct world *w = arg;
	struct envelope_cache *c = NULL;
	const struct envelope_cache_key key = {.b = {1}};
	struct secret k;

	const int r = envelope_cache_new(&w->env, 16, &c, err);
	if (r < 0) {
		assert_null(c);
		return r;
	}
	envelope_cache_add(c, &key, &(struct pre_fingerprint){.b = {1}}, &w->sk);
	assert_true(envelope_cache_find(c, &key, &k));
	c = envelope_cache_free(c);
	return 0;
}

static void each_allocation_fails(void **state)
{
	static const struct {
		const char *name;
		torture_case run;
		uint64_t least; /* allocations that must have been failed */
	} rows[] = {
		{"whole", whole, 4},
		{"stream", stream, 8},
		{"incremental whole", incremental_whole, 3},
		{"signed whole", signed_whole, 8},
		{"signed stream", signed_stream, 8},
		{"cache", cache, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const uint64_t n = torture_run(rows[i].name, rows[i].run, *state, 1);
		if (n < rows[i].least)
			fail_msg("%s: only %llu allocations", rows[i].name, (unsigned long long)n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
