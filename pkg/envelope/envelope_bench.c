/* Times what bench/envelope.sh reports: one line per figure,
 *	name unit median low high
 * low and high are the tenth and the ninetieth percentile of RUNS blocks. Streams are GIB_RUNS
 * passes of 1 GiB in chunks as a proxy reads them; output is thrown away chunk by chunk. */
#include "pkg/base/env.h"
#include "pkg/envelope/cache.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/signed.h"
#include "pkg/envelope/window.h"

#include <stdio.h>
#include <time.h>

#define RUNS     30
#define GIB_RUNS 3
#define BLOCK_NS (8 * NS_PER_MS)
#define TEXT_LEN 1024
#define CHUNK    ((size_t)262144)
#define GIB      (1u << 30)
#define LATE     1000

struct bench {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct envelope_windows *windows;
	struct envelope_cache *cache;
	struct secret sk;
	struct pre_fingerprint fp;
	struct envelope_target target;
	struct envelope_cache_key key;
	struct buf cert; /* the sender's; sk is his identity key and his leader's, too */
	uint8_t cert_hash[ENVELOPE_HASH_LEN];
	struct envelope_verified *verified;
	struct envelope_signing signing;
	struct pre_signature signature;
	struct buf sealed; /* one message of 1 KiB */
	struct buf out;
	uint8_t text[CHUNK];
};

/* Processor time, as openssl speed counts it: other work on the machine does not count. */
static int64_t now_ns(void)
{
	struct timespec t = {0};

	base_assert(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

typedef int (*operation)(struct bench *b);

static int seal_warm(struct bench *b)
{
	struct envelope_header h = {.type = STR("application/json")};
	const struct secret *k = NULL;

	TRY(envelope_window_use(
		b->windows, (struct envelope_targets){.v = &b->target, .n = 1}, &h, &k, NULL));
	TRY(envelope_header_fresh(b->ctx, &h, NULL));
	base_buf_clear(&b->sealed);
	return envelope_body_seal(b->ctx, &h, k, base_str_n(b->text, TEXT_LEN), &b->sealed, NULL);
}

static int seal_cold(struct bench *b)
{
	envelope_window_drop_all(b->windows);
	return seal_warm(b);
}

/* What a receiver does with each message; the keeper's part only if the cache has nothing. */
static int open_one(struct bench *b)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct envelope_cache_key key;
	struct envelope_message m;
	struct str body = STR_NULL;

	TRY(envelope_parse_whole(base_buf_str(&b->sealed), &m, &body, NULL));
	const struct envelope_recipient *r = envelope_recipient_find(&m.header, &b->fp);
	if (!r)
		return -(int)ERR_NO_KEY;
	TRY(envelope_cache_key(b->ctx, r, &key, NULL));
	const bool warm = envelope_cache_find(b->cache, &key, &k);
	if (!warm)
		TRY(envelope_recipient_unwrap(b->pre, &b->sk, r, &k, NULL));
	base_buf_clear(&b->out);
	TRY(envelope_body_open(b->ctx, &m, &k, body, &b->out, NULL));
	if (!warm)
		envelope_cache_add(b->cache, &key, &b->fp, &k);
	b->key = key;
	return b->out.len == TEXT_LEN ? 0 : -(int)ERR_BUG;
}

static int open_cold(struct bench *b)
{
	envelope_cache_clear(b->cache);
	return open_one(b);
}

/* From an entry to its secret, as a warm receiver does it. */
static int secret_warm(struct bench *b)
{
	struct envelope_cache_key key;
	struct envelope_recipient r = {.fp = b->fp};
	struct secret k;

	TRY(envelope_cache_key(b->ctx, &r, &key, NULL));
	if (envelope_cache_find(b->cache, &key, &k))
		return 0;
	envelope_cache_add(b->cache, &key, &b->fp, &b->sk);
	return 0;
}

static int cache_find(struct bench *b)
{
	struct secret k;

	return envelope_cache_find(b->cache, &b->key, &k) ? 0 : -(int)ERR_BUG;
}

/* -- senders: what the keeper does is done here, without the way to it -- */

static int sign(struct bench *b)
{
	const struct envelope_signing_bytes bytes = envelope_signing_bytes(&b->signing);

	return pre_sign_cose(b->pre, &b->sk, base_str_n(bytes.b, bytes.n), &b->signature, NULL);
}

static int verify(struct bench *b)
{
	return envelope_signing_verify(b->pre, &b->target.key, &b->signing, &b->signature, NULL);
}

static int seal_signed(struct bench *b, enum envelope_sender_level level)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	struct envelope_header h = {
		.type = STR("application/json"), .sender = level, .has_length = true};
	struct envelope_credentials with = {.cert = base_buf_str(&b->cert)};
	const bool message = level == ENVELOPE_SENDER_MESSAGE;
	const struct secret *k = NULL;

	TRY(envelope_window_use(
		b->windows, (struct envelope_targets){.v = &b->target, .n = 1}, &h, &k, NULL));
	if (!message && !envelope_window_origin(b->windows, b->cert_hash)) {
		TRY(envelope_window_origin_signing(
			b->windows, b->ctx, b->cert_hash, &b->signing, NULL));
		TRY(sign(b));
		(void)envelope_window_set_origin(b->windows, &b->signing, &b->signature);
	}
	if (!message)
		with.origin = envelope_window_origin(b->windows, b->cert_hash);
	TRY(envelope_header_fresh(b->ctx, &h, NULL));
	h.length = TEXT_LEN + envelope_sender_overhead(&h, b->cert.len);
	base_buf_clear(&b->sealed);
	TRY(envelope_signed_sealer_begin(&s, b->ctx, &h, k, &with, &b->sealed, NULL));
	TRY(envelope_signed_sealer_add(&s, base_str_n(b->text, TEXT_LEN), &b->sealed, NULL));
	if (message) {
		TRY(envelope_signed_sealer_signing(&s, &b->signing, NULL));
		TRY(sign(b));
	}
	return envelope_signed_sealer_end(&s, message ? &b->signature : NULL, &b->sealed, NULL);
}

static int seal_none(struct bench *b)
{
	return seal_signed(b, ENVELOPE_SENDER_NONE);
}

static int seal_origin(struct bench *b)
{
	return seal_signed(b, ENVELOPE_SENDER_ORIGIN);
}

static int seal_message(struct bench *b)
{
	return seal_signed(b, ENVELOPE_SENDER_MESSAGE);
}

/* What was sealed last, with the secret and what verified remembered after the first time. */
static int open_signed(struct bench *b)
{
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	_cleanup_(base_secret_wipe) struct secret k = {0};
	const struct envelope_sender_check check = {
		.ctx = b->ctx, .pre = b->pre, .verified = b->verified};
	struct envelope_cache_key key;
	struct envelope_message m;
	struct str body = STR_NULL;

	TRY(envelope_parse_whole(base_buf_str(&b->sealed), &m, &body, NULL));
	const struct envelope_recipient *r = envelope_recipient_find(&m.header, &b->fp);
	if (!r)
		return -(int)ERR_NO_KEY;
	TRY(envelope_cache_key(b->ctx, r, &key, NULL));
	if (!envelope_cache_find(b->cache, &key, &k)) {
		TRY(envelope_recipient_unwrap(b->pre, &b->sk, r, &k, NULL));
		envelope_cache_add(b->cache, &key, &b->fp, &k);
	}
	base_buf_clear(&b->out);
	TRY(envelope_signed_opener_begin(&o, &check, &m, &k, NULL));
	TRY(envelope_signed_opener_add(&o, body, &b->out, NULL));
	TRY(envelope_signed_opener_end(&o, &b->out, NULL));
	return b->out.len == TEXT_LEN ? 0 : -(int)ERR_BUG;
}

static int issue(struct bench *b, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);
	const int64_t now = base_wall_ns(&b->env) / NS_PER_S;
	struct envelope_sender_cert c = {
		.cluster = STR("6f1c0f9e-6f44-4f5c-9a53-2d3b0b6a1a11"),
		.ns = STR("shop"),
		.function = STR("orders"),
		.revision = STR("orders-6c9f7d5b8"),
		.pod = STR("orders-6c9f7d5b8-m4zqh"),
		.key = b->target.key,
		.epoch = 1,
		.term = 1,
		.nbf = now,
		.exp = now + 86400,
		.issuer = b->target.key,
	};

	b->cert = base_buf(ENVELOPE_CERT_MAX);
	TRY(envelope_sender_cert_body(&c, &body, err));
	TRY(pre_sign(
		b->pre, &b->sk, ENVELOPE_CERT_CONTEXT, base_buf_str(&body), &c.signature, err));
	TRY(envelope_sender_cert_encode(&c, &b->cert, err));
	TRY(envelope_verified_new(&b->env, 64, &b->verified, err));
	return envelope_sender_cert_hash(b->ctx, base_buf_str(&b->cert), b->cert_hash, err);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, const char *unit, double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	printf("%s %s %.4f %.4f %.4f\n", name, unit, v[n / 2], v[n / 10], v[n - 1 - n / 10]);
}

/* One block: as many calls as fit into BLOCK_NS; microseconds a call. */
static int block(struct bench *b, operation run, double *ret_us)
{
	const int64_t start = now_ns();
	int64_t now = start;
	unsigned n = 0;

	while (now - start < BLOCK_NS) {
		for (unsigned i = 0; i < 16; i++)
			TRY(run(b));
		n += 16;
		now = now_ns();
	}
	*ret_us = (double)(now - start) / 1e3 / n;
	return 0;
}

static int measure(struct bench *b, const char *name, operation run)
{
	double us[RUNS];

	for (size_t i = 0; i < RUNS; i++)
		TRY(block(b, run, &us[i]));
	report(name, "us", us, RUNS);
	return 0;
}

/* Seals 1 GiB in chunks of `chunk`, and opens the result as it comes, LATE bytes behind, so that
 * pieces do not begin where segments do. Time is taken apart for both. */
static int gib(struct bench *b, size_t chunk, double *ret_seal, double *ret_open)
{
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	struct envelope_header h = {.type = STR("application/octet-stream"),
		.mode = ENVELOPE_STREAM,
		.has_length = true,
		.length = GIB};
	const struct secret *k = NULL;
	struct envelope_message m;
	int64_t sealing = 0;
	int64_t opening = 0;

	TRY(envelope_window_use(
		b->windows, (struct envelope_targets){.v = &b->target, .n = 1}, &h, &k, NULL));
	TRY(envelope_header_fresh(b->ctx, &h, NULL));
	base_buf_clear(&b->sealed);
	TRY(envelope_sealer_begin(&s, b->ctx, &h, k, &b->sealed, NULL));
	TRY(envelope_parse(base_buf_str(&b->sealed), &m, NULL));
	TRY(envelope_opener_begin(&o, b->ctx, &m, k, NULL));
	base_buf_clear(&b->sealed);
	for (size_t at = 0; at <= GIB; at += chunk) {
		const int64_t t0 = now_ns();
		if (at < GIB)
			TRY(envelope_sealer_add(&s, base_str_n(b->text, chunk), &b->sealed, NULL));
		else
			TRY(envelope_sealer_end(&s, &b->sealed, NULL));
		const int64_t t1 = now_ns();
		const size_t feed = b->sealed.len - (at < GIB ? LATE : 0);
		base_buf_clear(&b->out);
		TRY(envelope_opener_add(&o, base_str_n(b->sealed.data, feed), &b->out, NULL));
		opening += now_ns() - t1;
		sealing += t1 - t0;
		base_buf_consume(&b->sealed, feed);
	}
	TRY(envelope_opener_end(&o, &b->out, NULL));
	*ret_seal = GIB / 1e6 / ((double)sealing / 1e9);
	*ret_open = GIB / 1e6 / ((double)opening / 1e9);
	return 0;
}

static int measure_streams(struct bench *b)
{
	static const size_t chunks[] = {65536, CHUNK};

	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		double seal[GIB_RUNS];
		double open[GIB_RUNS];
		char name[40];
		for (size_t run = 0; run < GIB_RUNS; run++)
			TRY(gib(b, chunks[i], &seal[run], &open[run]));
		(void)snprintf(name, sizeof(name), "stream-seal-%zuk", chunks[i] / 1024);
		report(name, "MB/s", seal, GIB_RUNS);
		(void)snprintf(name, sizeof(name), "stream-open-%zuk", chunks[i] / 1024);
		report(name, "MB/s", open, GIB_RUNS);
	}
	return 0;
}

static int setup(struct bench *b, struct err *err)
{
	b->env = base_env_system();
	b->sealed = base_buf(4 * CHUNK);
	b->out = base_buf(4 * CHUNK);
	TRY(envelope_context_new(&b->env, &b->ctx, err));
	TRY(pre_context_new(&b->env, &b->pre, err));
	TRY(envelope_windows_new(&b->env, b->pre, 1024, &b->windows, err));
	TRY(envelope_cache_new(&b->env, 64, &b->cache, err));
	TRY(pre_keygen(b->pre, &b->sk, &b->target.key, err));
	b->fp = pre_fingerprint(&b->target.key);
	b->target.epoch = 1;
	b->target.name = STR("shop/orders-6c9f7d5b8");
	for (size_t i = 0; i < sizeof(b->text); i++)
		b->text[i] = (uint8_t)(i * 7);
	return issue(b, err);
}

static int run(struct bench *b, struct err *err)
{
	static const struct {
		const char *name;
		operation run;
	} rows[] = {
		{"seal-cold", seal_cold},
		{"seal-warm", seal_warm},
		{"open-cold", open_cold},
		{"open-warm", open_one},
		{"cache-find", cache_find},
		{"secret-warm", secret_warm},
		{"none-seal", seal_none},
		{"none-open", open_signed},
		{"origin-seal", seal_origin},
		{"origin-open", open_signed},
		{"message-seal", seal_message},
		{"message-open", open_signed},
		{"sender-sign", sign},
		{"sender-verify", verify},
	};

	TRY(setup(b, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(measure(b, rows[i].name, rows[i].run));
	return measure_streams(b);
}

int main(void)
{
	static struct bench b;
	struct err err = {0};
	const int r = run(&b, &err);

	if (r < 0)
		(void)fprintf(stderr, "envelope_bench: %s %s\n",
			base_err_class_name((enum err_class) - r), err.msg);
	b.cache = envelope_cache_free(b.cache);
	b.verified = envelope_verified_free(b.verified);
	base_buf_done(&b.cert);
	b.windows = envelope_windows_free(b.windows);
	b.pre = pre_context_free(b.pre);
	b.ctx = envelope_context_free(b.ctx);
	base_buf_done(&b.sealed);
	base_buf_done(&b.out);
	return r < 0;
}
