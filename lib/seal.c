#include "lib/internal.h"

#define OUT_MAX (ENVELOPE_HEAD_MAX + ENVELOPE_OUT_ROOM(FUNCTIONKEY_MESSAGE_MAX))

struct functionkey_stream {
	struct functionkey_tools tools; /* its own: the sender may go */
	struct envelope_sealer sealer;
	struct buf out;
	functionkey_write *write;
	void *ctx;
};

/* Only what the caller's struct has: one that was compiled against an older header is shorter. */
#define HAS(o, field) \
	((o) && (o)->size >= offsetof(struct functionkey_options, field) + sizeof((o)->field))

static int header_of(
	const struct functionkey_options *o, struct envelope_header *h, struct err *err)
{
	h->type = STR("application/octet-stream");
	if (o && o->size < sizeof(o->size))
		return FAIL(err, ERR_INVALID, "options say no size");
	if (HAS(o, media_type) && o->media_type)
		h->type = base_str(o->media_type);
	h->has_exp = HAS(o, expires) && o->expires > 0;
	h->exp = h->has_exp ? o->expires : 0;
	return 0;
}

static int targets_of(const struct functionkey_sender *s, struct envelope_target *v,
	struct envelope_targets *ret, struct err *err)
{
	if (s->n == 0)
		return FAIL(err, ERR_NOT_READY, "the sender has no keys yet");
	for (size_t i = 0; i < s->n; i++)
		v[i] = (struct envelope_target){.key = s->targets[i].key,
			.epoch = s->targets[i].epoch,
			.name = base_str(s->targets[i].name)};
	*ret = (struct envelope_targets){.v = v, .n = s->n};
	return 0;
}

static int seal(struct functionkey_sender *s, const struct functionkey_options *options,
	struct str plaintext, struct buf *out, struct err *err)
{
	struct envelope_target v[ENVELOPE_RECIPIENTS_MAX];
	struct envelope_targets targets = {.n = 0};
	struct envelope_header h = {.mode = ENVELOPE_WHOLE};

	TRY(header_of(options, &h, err));
	TRY(targets_of(s, v, &targets, err));
	return envelope_seal(s->tools.envelope, s->tools.pre, &h, targets, plaintext, out, err);
}

int functionkey_seal(struct functionkey_sender *s, const struct functionkey_options *options,
	const void *plaintext, size_t n, void **ret, size_t *ret_n, struct functionkey_error *err)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(ENVELOPE_MESSAGE_MAX);
	struct err why = {0};
	const int r = seal(s, options, base_str_n(plaintext, n), &out, &why);

	if (r == 0) {
		*ret_n = out.len;
		*ret = STEAL(out.data);
	}
	return functionkey_result(r, &why, err);
}

static int flush(struct functionkey_stream *stream, struct err *err)
{
	const bool taken = stream->out.len == 0 ||
			   stream->write(stream->ctx, stream->out.data, stream->out.len) == 0;

	base_buf_clear(&stream->out);
	return taken ? 0 : FAIL(err, ERR_CANCELLED, "the write function failed");
}

static int begin(struct functionkey_stream *stream, const struct functionkey_sender *s,
	const struct functionkey_options *options, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct envelope_target v[ENVELOPE_RECIPIENTS_MAX];
	struct envelope_targets targets = {.n = 0};
	struct envelope_header h = {.mode = ENVELOPE_STREAM};
	struct functionkey_tools *t = &stream->tools;

	TRY(header_of(options, &h, err));
	TRY(targets_of(s, v, &targets, err));
	TRY(functionkey_tools_begin(t, err));
	TRY(envelope_secret_new(t->envelope, &k, err));
	for (size_t i = 0; i < targets.n; i++)
		TRY(envelope_recipient_wrap(t->pre, &v[i], &k, &h.recipients[i], err));
	h.recipient_count = targets.n;
	TRY(envelope_recipients_sort(&h, err));
	TRY(envelope_header_fresh(t->envelope, &h, err));
	TRY(envelope_sealer_begin(&stream->sealer, t->envelope, &h, &k, &stream->out, err));
	return flush(stream, err);
}

int functionkey_seal_begin(struct functionkey_sender *s, const struct functionkey_options *options,
	functionkey_write *write, void *ctx, struct functionkey_stream **ret,
	struct functionkey_error *err)
{
	struct functionkey_stream *stream = base_alloc(1, sizeof(*stream));
	struct err why = {0};
	int r = stream ? 0 : FAIL(&why, ERR_NOMEM, "stream");

	if (r == 0) {
		stream->out = base_buf(OUT_MAX);
		stream->write = write;
		stream->ctx = ctx;
		r = begin(stream, s, options, &why);
	}
	if (r < 0)
		functionkey_stream_free(stream);
	else
		*ret = stream;
	return functionkey_result(r, &why, err);
}

static int add(struct functionkey_stream *stream, struct str bytes, struct err *err)
{
	for (size_t at = 0; at < bytes.n; at += FUNCTIONKEY_MESSAGE_MAX) {
		const struct str part = base_str_sub(bytes, at, at + FUNCTIONKEY_MESSAGE_MAX);
		TRY(envelope_sealer_add(&stream->sealer, part, &stream->out, err));
		TRY(flush(stream, err));
	}
	return 0;
}

int functionkey_stream_add(
	struct functionkey_stream *stream, const void *p, size_t n, struct functionkey_error *err)
{
	struct err why = {0};

	return functionkey_result(add(stream, base_str_n(p, n), &why), &why, err);
}

int functionkey_stream_end(struct functionkey_stream *stream, struct functionkey_error *err)
{
	struct err why = {0};
	int r = envelope_sealer_end(&stream->sealer, &stream->out, &why);

	if (r == 0)
		r = flush(stream, &why);
	return functionkey_result(r, &why, err);
}

struct functionkey_stream *functionkey_stream_free(struct functionkey_stream *stream)
{
	if (!stream)
		return NULL;
	envelope_sealer_done(&stream->sealer);
	base_buf_done(&stream->out);
	functionkey_tools_done(&stream->tools);
	return base_free(stream);
}
