/* envelope-tool: seals and opens files with keys given on the command line, for tests with other
 * implementations. Not installed anywhere: a secret on a command line is seen by every process. */
#include "pkg/base/env.h"
#include "pkg/base/text.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"
#include "pkg/envelope/signed.h"

#include <stdio.h>

#define CHUNK    262144
#define OUT_MAX  (4u << 20)
#define LINE_MAX 40000

struct options {
	const char *command;
	struct envelope_header header;
	struct envelope_target targets[ENVELOPE_RECIPIENTS_MAX];
	size_t target_count;
	struct secret secret;
	struct secret sender, issuer; /* identity keys, where the header says a level */
	unsigned kinds;
};

struct tool {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
};

static int usage(FILE *to, int status)
{
	(void)fprintf(to,
		"usage: envelope-tool keygen\n"
		"       envelope-tool seal --to KEY:EPOCH:NAME... [--stream] [--type TYPE]\n"
		"                          [--kind N] [--context HEX]\n"
		"                          [--sender LEVEL:SECRET:ISSUER] <PLAINTEXT >MESSAGE\n"
		"       envelope-tool open --secret HEX [--kinds MASK] <MESSAGE >PLAINTEXT\n"
		"       envelope-tool sender --secret HEX [--kinds MASK] <MESSAGE\n"
		"       envelope-tool headers <LINES\n"
		"Seals and opens FunctionKey envelopes with keys from the command line, for "
		"tests.\n"
		"  keygen   print a new key: secret, public key, fingerprint\n"
		"  sender   print the level and the certificate in hex, as open verifies them\n"
		"  headers  for each line, a protected header in hex, print ok or why it is "
		"refused\n");
	return status;
}

/* KEY:EPOCH:NAME */
static int parse_target(
	const struct tool *t, struct str s, struct envelope_target *ret, struct err *err)
{
	const size_t first = base_str_find(s, ':', 0);
	const size_t second = base_str_find(s, ':', first + 1);
	uint8_t key[PRE_POINT_LEN];

	TRY(base_unhex(base_str_sub(s, 0, first), key, sizeof(key), err));
	TRY(pre_public_key_parse(t->pre, key, sizeof(key), &ret->key, err));
	TRY(base_parse_u64(base_str_sub(s, first + 1, second), UINT64_MAX, &ret->epoch, err));
	ret->name = base_str_sub(s, second + 1, s.n);
	return 0;
}

static int option_to(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	if (o->target_count == ENVELOPE_RECIPIENTS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d recipients", ENVELOPE_RECIPIENTS_MAX);
	TRY(parse_target(t, value, &o->targets[o->target_count], err));
	o->target_count++;
	return 0;
}

static int option_type(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	(void)t;
	(void)err;
	o->header.type = value;
	return 0;
}

static int option_kind(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	uint64_t n = 0;

	(void)t;
	TRY(base_parse_u64(value, ENVELOPE_KIND_COUNT - 1, &n, err));
	o->header.kind = (enum envelope_kind)n;
	return 0;
}

static int option_context(
	const struct tool *t, struct options *o, struct str value, struct err *err)
{
	(void)t;
	o->header.has_context = true;
	return base_unhex(value, o->header.context, sizeof(o->header.context), err);
}

static int option_secret(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	(void)t;
	return base_unhex(value, o->secret.b, sizeof(o->secret.b), err);
}

static int option_kinds(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	uint64_t n = 0;

	(void)t;
	TRY(base_parse_u64(value, 31, &n, err));
	o->kinds = (unsigned)n;
	return 0;
}

/* LEVEL:SECRET:ISSUER: the identity keys of sender and leader */
static int option_sender(const struct tool *t, struct options *o, struct str value, struct err *err)
{
	const size_t first = base_str_find(value, ':', 0);
	const size_t second = base_str_find(value, ':', first + 1);
	uint64_t level = 0;

	(void)t;
	TRY(base_parse_u64(base_str_sub(value, 0, first), ENVELOPE_SENDER_COUNT - 1, &level, err));
	o->header.sender = (enum envelope_sender_level)level;
	TRY(base_unhex(
		base_str_sub(value, first + 1, second), o->sender.b, sizeof(o->sender.b), err));
	return base_unhex(
		base_str_sub(value, second + 1, value.n), o->issuer.b, sizeof(o->issuer.b), err);
}

static const struct {
	const char *name;
	int (*set)(const struct tool *t, struct options *o, struct str value, struct err *err);
} option_rows[] = {
	{"--to", option_to},
	{"--type", option_type},
	{"--kind", option_kind},
	{"--context", option_context},
	{"--secret", option_secret},
	{"--kinds", option_kinds},
	{"--sender", option_sender},
};

static int parse_options(
	const struct tool *t, int argc, char **argv, struct options *o, struct err *err)
{
	o->command = argv[1];
	o->kinds = ENVELOPE_KINDS(EVENT);
	o->header.type = STR("application/octet-stream");
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--stream") == 0) {
			o->header.mode = ENVELOPE_STREAM;
			continue;
		}
		size_t row = 0;
		while (row < ARRAY_LEN(option_rows) && strcmp(argv[i], option_rows[row].name) != 0)
			row++;
		if (row == ARRAY_LEN(option_rows) || i + 1 == argc)
			return FAIL(err, ERR_INVALID, "option '%s'", argv[i]);
		TRY(option_rows[row].set(t, o, base_str(argv[++i]), err));
	}
	return 0;
}

/* Reads up to n bytes behind the buffer's end; *ret_more is false at the end of the input. */
static int read_more(struct buf *b, size_t n, bool *ret_more, struct err *err)
{
	uint8_t *p = NULL;

	TRY(base_buf_room(b, n, &p, err));
	const size_t got = fread(p, 1, n, stdin);
	if (got < n && ferror(stdin))
		return FAIL(err, ERR_TERMINAL, "reading standard input");
	base_buf_added(b, got);
	*ret_more = got > 0;
	return 0;
}

static int write_out(struct buf *b, struct err *err)
{
	if (b->len > 0 && fwrite(b->data, 1, b->len, stdout) != b->len)
		return FAIL(err, ERR_TERMINAL, "writing standard output");
	base_buf_clear(b);
	return 0;
}

static int keygen(struct tool *t, struct options *o, struct err *err)
{
	struct pre_public_key pk;
	char hex[2 * PRE_POINT_LEN + 1];

	(void)o;
	TRY(pre_keygen(t->pre, &o->secret, &pk, err));
	base_hex(o->secret.b, sizeof(o->secret.b), hex);
	printf("secret %s\n", hex);
	base_hex(pk.b, sizeof(pk.b), hex);
	printf("public %s\n", hex);
	const struct pre_fingerprint fp = pre_fingerprint(&pk);
	base_hex(fp.b, sizeof(fp.b), hex);
	printf("fingerprint %s\n", hex);
	return 0;
}

static int seal_whole(struct tool *t, struct options *o, struct err *err)
{
	_cleanup_(base_buf_done) struct buf in = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	bool more = true;

	while (more)
		TRY(read_more(&in, CHUNK, &more, err));
	TRY(envelope_seal(t->ctx, t->pre, &o->header,
		(struct envelope_targets){.v = o->targets, .n = o->target_count}, base_buf_str(&in),
		&out, err));
	return write_out(&out, err);
}

/* A new k for all targets, and the rest of a header that is sealed piece by piece. */
static int prepare(struct tool *t, struct options *o, struct secret *k, struct err *err)
{
	TRY(envelope_secret_new(t->ctx, k, err));
	for (size_t i = 0; i < o->target_count; i++)
		TRY(envelope_recipient_wrap(
			t->pre, &o->targets[i], k, &o->header.recipients[i], err));
	o->header.recipient_count = o->target_count;
	TRY(envelope_recipients_sort(&o->header, err));
	return envelope_header_fresh(t->ctx, &o->header, err);
}

static int seal_stream(struct tool *t, struct options *o, struct err *err)
{
	_cleanup_(base_buf_done) struct buf in = base_buf(CHUNK);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(base_secret_wipe) struct secret k;
	bool more = true;

	TRY(prepare(t, o, &k, err));
	TRY(envelope_sealer_begin(&s, t->ctx, &o->header, &k, &out, err));
	while (more) {
		base_buf_clear(&in);
		TRY(read_more(&in, CHUNK, &more, err));
		TRY(envelope_sealer_add(&s, base_buf_str(&in), &out, err));
		TRY(write_out(&out, err));
	}
	TRY(envelope_sealer_end(&s, &out, err));
	return write_out(&out, err);
}

/* What a leader's keeper does for the sender's. */
static int issue(struct tool *t, const struct options *o, struct buf *out, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);
	const int64_t now = (int64_t)o->header.iat;
	struct envelope_sender_cert c = {
		.cluster = STR("6f1c0f9e-6f44-4f5c-9a53-2d3b0b6a1a11"),
		.ns = STR("shop"),
		.function = STR("orders"),
		.revision = STR("orders-1"),
		.pod = STR("orders-1-a"),
		.epoch = 1,
		.term = 1,
		.nbf = now,
		.exp = now + 3600,
	};

	TRY(pre_public_of(t->pre, &o->sender, &c.key, err));
	TRY(pre_public_of(t->pre, &o->issuer, &c.issuer, err));
	TRY(envelope_sender_cert_body(&c, &body, err));
	TRY(pre_sign(
		t->pre, &o->issuer, ENVELOPE_CERT_CONTEXT, base_buf_str(&body), &c.signature, err));
	return envelope_sender_cert_encode(&c, out, err);
}

static int sign(struct tool *t, const struct options *o, const struct envelope_signing *signing,
	struct pre_signature *ret, struct err *err)
{
	const struct envelope_signing_bytes b = envelope_signing_bytes(signing);

	return pre_sign_cose(t->pre, &o->sender, base_str_n(b.b, b.n), ret, err);
}

/* As a sender with a keeper does it, with the keeper's part in between. */
static int seal_parts(struct tool *t, struct options *o, const struct secret *k, struct str text,
	struct buf *out, struct err *err)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	_cleanup_(base_buf_done) struct buf cert = base_buf(ENVELOPE_CERT_MAX);
	const bool message = o->header.sender == ENVELOPE_SENDER_MESSAGE;
	const bool has_origin = !message || o->header.mode == ENVELOPE_STREAM;
	struct envelope_signing signing;
	struct pre_signature origin;
	struct pre_signature tail;
	uint8_t hash[ENVELOPE_HASH_LEN];

	TRY(issue(t, o, &cert, err));
	TRY(envelope_sender_cert_hash(t->ctx, base_buf_str(&cert), hash, err));
	TRY(envelope_origin_signing(t->ctx, &o->header, k, hash, &signing, err));
	TRY(sign(t, o, &signing, &origin, err));
	const struct envelope_credentials with = {
		.cert = base_buf_str(&cert), .origin = has_origin ? &origin : NULL};
	o->header.has_length = true;
	o->header.length = text.n + envelope_sender_overhead(&o->header, cert.len);
	TRY(envelope_signed_sealer_begin(&s, t->ctx, &o->header, k, &with, out, err));
	TRY(envelope_signed_sealer_add(&s, text, out, err));
	if (message) {
		TRY(envelope_signed_sealer_signing(&s, &signing, err));
		TRY(sign(t, o, &signing, &tail, err));
	}
	return envelope_signed_sealer_end(&s, message ? &tail : NULL, out, err);
}

static int seal_signed(struct tool *t, struct options *o, struct err *err)
{
	_cleanup_(base_buf_done) struct buf in = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf((size_t)2 * OUT_MAX);
	_cleanup_(base_secret_wipe) struct secret k;
	bool more = true;

	while (more)
		TRY(read_more(&in, CHUNK, &more, err));
	TRY(prepare(t, o, &k, err));
	TRY(seal_parts(t, o, &k, base_buf_str(&in), &out, err));
	return write_out(&out, err);
}

static int seal(struct tool *t, struct options *o, struct err *err)
{
	if (o->header.sender != ENVELOPE_SENDER_NONE)
		return seal_signed(t, o, err);
	return o->header.mode == ENVELOPE_STREAM ? seal_stream(t, o, err) : seal_whole(t, o, err);
}

static int unwrap(struct tool *t, struct options *o, const struct envelope_message *m,
	struct secret *ret_k, struct err *err)
{
	struct pre_public_key pk;

	if (!(o->kinds & 1u << m->header.kind))
		return REFUSE(err, KIND, "a kind that is not taken here");
	TRY(pre_public_of(t->pre, &o->secret, &pk, err));
	const struct pre_fingerprint fp = pre_fingerprint(&pk);
	const struct envelope_recipient *r = envelope_recipient_find(&m->header, &fp);
	if (!r)
		return REFUSE(err, NO_RECIPIENT, "not sealed to this key");
	return envelope_recipient_unwrap(t->pre, &o->secret, r, ret_k, err);
}

/* Reads until the head is complete. */
static int read_head(struct buf *in, struct envelope_message *m, struct err *err)
{
	bool more = true;
	int r = 0;

	do {
		TRY(read_more(in, CHUNK, &more, err));
		r = envelope_parse(base_buf_str(in), m, err);
	} while (r == -(int)ERR_NOT_READY && more);
	return r == -(int)ERR_NOT_READY ? REFUSE(err, TRUNCATED, "the head is not complete") : r;
}

/* Plaintext goes to standard output as it may be released, or nowhere. */
static int open_with(struct tool *t, struct options *o, const struct envelope_sender_check *check,
	bool quiet, struct envelope_signed_opener *opener, struct err *err)
{
	_cleanup_(base_buf_done) struct buf in = base_buf((size_t)2 * CHUNK);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(base_secret_wipe) struct secret k;
	struct envelope_message m;
	bool more = true;

	TRY(read_head(&in, &m, err));
	TRY(unwrap(t, o, &m, &k, err));
	TRY(envelope_signed_opener_begin(opener, check, &m, &k, err));
	base_buf_consume(&in, m.body_at);
	while (more) {
		TRY(envelope_signed_opener_add(opener, base_buf_str(&in), &out, err));
		if (quiet)
			base_buf_clear(&out);
		TRY(write_out(&out, err));
		base_buf_clear(&in);
		TRY(read_more(&in, CHUNK, &more, err));
	}
	TRY(envelope_signed_opener_end(opener, &out, err));
	return quiet ? 0 : write_out(&out, err);
}

static int open_message(struct tool *t, struct options *o, struct err *err)
{
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener opener = {0};
	const struct envelope_sender_check check = {.ctx = t->ctx, .pre = t->pre};

	return open_with(t, o, &check, false, &opener, err);
}

static int show_sender(struct tool *t, struct options *o, struct err *err)
{
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener opener = {0};
	_cleanup_(base_buf_done) struct buf cert = base_buf(ENVELOPE_CERT_MAX);
	const struct envelope_sender_check check = {.ctx = t->ctx, .pre = t->pre};
	struct envelope_sender_cert c;
	char hex[2 * ENVELOPE_CERT_MAX + 1] = "";

	TRY(open_with(t, o, &check, true, &opener, err));
	if (envelope_signed_opener_cert(&opener, &c)) {
		TRY(envelope_sender_cert_encode(&c, &cert, err));
		base_hex(cert.data, cert.len, hex);
	}
	printf("level %d\ncertificate %s\n", (int)envelope_signed_opener_level(&opener), hex);
	return 0;
}

static int headers(struct tool *t, struct options *o, struct err *err)
{
	static char line[LINE_MAX];
	static uint8_t bytes[LINE_MAX / 2];
	struct envelope_header h;

	(void)t;
	(void)o;
	while (fgets(line, sizeof(line), stdin)) {
		const struct str s = base_str_trim(base_str(line));
		struct err why = {0};
		TRY(base_unhex(s, bytes, s.n / 2, err));
		if (envelope_header_decode(base_str_n(bytes, s.n / 2), &h, &why) == 0)
			puts("ok");
		else
			puts(envelope_reason_name(why.detail));
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct tool *t, struct options *o, struct err *err);
} commands[] = {
	{"keygen", keygen},
	{"seal", seal},
	{"open", open_message},
	{"sender", show_sender},
	{"headers", headers},
};

static int run(int argc, char **argv, struct err *err)
{
	_cleanup_(envelope_context_free) struct envelope_context *ctx = NULL;
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;
	struct tool t = {.env = base_env_system()};
	struct options o = {0};

	TRY(envelope_context_new(&t.env, &ctx, err));
	TRY(pre_context_new(&t.env, &pre, err));
	t.ctx = ctx;
	t.pre = pre;
	TRY(parse_options(&t, argc, argv, &o, err));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(o.command, commands[i].name) == 0)
			return commands[i].run(&t, &o, err);
	return FAIL(err, ERR_INVALID, "command '%s'", o.command);
}

int main(int argc, char **argv)
{
	struct err err = {0};

	if (argc < 2)
		return usage(stderr, 2);
	if (strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	if (run(argc, argv, &err) < 0) {
		(void)fprintf(
			stderr, "envelope-tool: %s: %s\n", base_err_class_name(err.class), err.msg);
		return 1;
	}
	return fflush(stdout) != 0;
}
