#include "cli/encrypt.h"

#include "cli/input.h"
#include "lib/functionkey.h"
#include "pkg/base/text.h"

#include <unistd.h>

#define PART_LEN 64
#define PIECE    65536

CLEANUP_FREE(struct functionkey_sender, functionkey_sender_free);
CLEANUP_FREE(struct functionkey_stream, functionkey_stream_free);

int cli_encrypt_to(
	struct str to, struct str home, char *ret_ns, char *ret_function, struct err *err)
{
	const size_t slash = base_str_find(to, '/', 0);
	const struct str ns = slash < to.n ? base_str_sub(to, 0, slash) : home;
	const struct str function = slash < to.n ? base_str_sub(to, slash + 1, to.n) : to;

	if (!ns.n || !function.n || ns.n >= PART_LEN || function.n >= PART_LEN ||
		memchr(function.p, '/', function.n))
		return FAIL(err, ERR_INVALID, "--to=%.*s: write [NAMESPACE/]FUNCTION", STR_FMT(to));
	TRY(base_str_copy(ns, ret_ns, PART_LEN, "namespace", err));
	return base_str_copy(function, ret_function, PART_LEN, "function", err);
}

int cli_encrypt_expected(
	const struct crds_functionkey *record, struct str fingerprint, struct err *err)
{
	const struct crds_key *active = crds_key_active(record);
	char fp[2 * sizeof(active->fingerprint.b) + 1];

	if (!fingerprint.n || !active)
		return 0;
	base_hex(active->fingerprint.b, sizeof(active->fingerprint.b), fp);
	if (!base_str_eq(fingerprint, base_str(fp)))
		return FAIL(err, ERR_TAMPERED, "revision %.*s has the key %s, not %.*s",
			STR_FMT(record->revision), fp, STR_FMT(fingerprint));
	return 0;
}

/* -- recipients -- */

struct gathering {
	struct buf json; /* a list of records */
	struct str expect;
	size_t n;
};

static int gather(void *ctx, struct str doc, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	struct gathering *g = ctx;

	TRY(crds_functionkey_decode(doc, &fk, err));
	TRY(cli_encrypt_expected(fk, g->expect, err));
	TRY(base_buf_add_str(&g->json, g->n++ ? STR(",") : STR("{\"items\":["), err));
	return base_buf_add_str(&g->json, doc, err);
}

/* A failure of the library, as a class of ours. */
static int failed(int status, const struct functionkey_error *why, struct err *err)
{
	const enum err_class class = status == FUNCTIONKEY_E_UNTRUSTED   ? ERR_TAMPERED
				     : status == FUNCTIONKEY_E_NOT_READY ? ERR_NOT_READY
									 : ERR_TERMINAL;

	return FAIL(err, class, "%s", why->message);
}

static int find_records(struct cli_session *s, const char *ns, const char *function,
	struct gathering *g, struct err *err)
{
	_cleanup_(base_buf_done) struct buf labels = base_buf(512);

	TRY(base_buf_addf(
		&labels, err, CRDS_LABEL_FUNCTION "=%s," CRDS_LABEL_ROLE "=leader", function));
	const struct cli_query q = {.resource = &crds_functionkeys,
		.ns = base_str(ns),
		.labels = base_buf_str(&labels),
		.on = gather,
		.ctx = g};
	TRY(cli_list(s, &q, err));
	if (!g->n)
		return FAIL(
			err, ERR_NOT_FOUND, "namespace %s has no function named %s", ns, function);
	return base_buf_add_str(&g->json, STR("]}"), err);
}

static int find_sender(const struct cli_options *o, struct cli_session *s,
	struct functionkey_sender **ret_sender, struct err *err)
{
	_cleanup_(functionkey_sender_free) struct functionkey_sender *sender = NULL;
	struct gathering g = {
		.json = base_buf(FUNCTIONKEY_RECORDS_MAX), .expect = base_str(o->expect)};
	struct functionkey_error why;
	char ns[PART_LEN], function[PART_LEN];

	TRY(cli_encrypt_to(base_str(o->to), s->config->ns, ns, function, err));
	int r = find_records(s, ns, function, &g, err);
	int status = r < 0 ? 0 : functionkey_sender_new(ns, function, &sender, &why);
	if (r == 0 && !status)
		status = functionkey_sender_records(
			sender, (const char *)g.json.data, g.json.len, 0, &why);
	base_buf_done(&g.json);
	if (r < 0)
		return r;
	if (status)
		return failed(status, &why, err);
	*ret_sender = STEAL(sender);
	return 0;
}

/* -- sealing -- */

static int write_all(void *ctx, const void *p, size_t n)
{
	(void)ctx;
	return cli_output_write(base_str_n(p, n), NULL);
}

/* What is small enough is one COSE message; what is more is sealed as it comes. */
static int seal_whole(struct functionkey_sender *sender, const struct functionkey_options *options,
	const struct buf *in, struct err *err)
{
	struct functionkey_error why;
	void *envelope = NULL;
	size_t n = 0;

	const int status =
		functionkey_seal(sender, options, in->data, in->len, &envelope, &n, &why);
	if (status)
		return failed(status, &why, err);
	const int r = write_all(NULL, envelope, n);
	functionkey_free(envelope);
	return r < 0 ? FAIL(err, ERR_TERMINAL, "standard output: %m") : 0;
}

static int seal_stream(struct functionkey_sender *sender, const struct functionkey_options *options,
	int in, struct buf *b, struct err *err)
{
	_cleanup_(functionkey_stream_free) struct functionkey_stream *stream = NULL;
	struct functionkey_error why;
	int status = functionkey_seal_begin(sender, options, write_all, NULL, &stream, &why);

	for (bool more = true; !status && more;) {
		status = functionkey_stream_add(stream, b->data, b->len, &why);
		base_buf_clear(b);
		TRY(cli_input_read(in, b, PIECE, &more, err));
	}
	if (!status)
		status = functionkey_stream_end(stream, &why);
	return status ? failed(status, &why, err) : 0;
}

static int seal(
	const struct cli_options *o, struct functionkey_sender *sender, int in, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(FUNCTIONKEY_MESSAGE_MAX + PIECE);
	const struct functionkey_options options = {.size = sizeof(options), .media_type = o->type};

	for (bool more = true; more && b.len <= FUNCTIONKEY_MESSAGE_MAX;) {
		TRY(cli_input_read(in, &b, PIECE, &more, err));
		if (!more)
			return seal_whole(sender, &options, &b, err);
	}
	return seal_stream(sender, &options, in, &b, err);
}

int cli_encrypt(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	_cleanup_(functionkey_sender_free) struct functionkey_sender *sender = NULL;
	int in = -1;

	if (isatty(STDOUT_FILENO))
		return FAIL(err, ERR_INVALID,
			"an envelope is not for a terminal: send standard output elsewhere");
	TRY(cli_input_open(o, &in, err));
	int r = cli_session_open(o, KUBE_EXEC_NO_STDIN, &s, err);
	if (r == 0)
		r = find_sender(o, &s, &sender, err);
	if (r == 0)
		r = seal(o, sender, in, err);
	if (in != STDIN_FILENO)
		close(in);
	return r < 0 ? r : CLI_OK;
}
