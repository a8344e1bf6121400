#include "agent/inbound_internal.h"

#include "pkg/base/text.h"

#include <stdio.h>

struct agent_answering agent_answering(void)
{
	return (struct agent_answering){.fields = agent_fields(),
		.trailers = agent_fields(),
		.plain = base_buf(ENVELOPE_WHOLE_MAX),
		.sealed = {.b = base_buf(ENVELOPE_MESSAGE_MAX)}};
}

void agent_answering_done(struct agent_answering *a)
{
	agent_fields_done(&a->fields);
	agent_fields_done(&a->trailers);
	base_buf_wipe(&a->plain);
	envelope_sealer_done(&a->sealer);
	agent_pending_done(&a->sealed);
}

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct agent_inbound *in = ctx;
	const int r = agent_pending_send(&in->body, in->body_complete, dst, cap, ret_n);

	(void)err;
	if (!in->body_complete && agent_pending_len(&in->body) < AGENT_PROXY_PIECE)
		http_resume(in->r);
	return r;
}

static int on_field(void *ctx, struct str name, struct str value, struct err *err)
{
	struct agent_answering *a = &((struct agent_inbound *)ctx)->answer;

	if (a->headed)
		return agent_fields_take(&a->trailers, name, value, err);
	if (base_str_eq(name, STR("content-length"))) {
		a->has_length = true;
		return base_parse_u64(value, ENVELOPE_STREAM_MAX, &a->length, err);
	}
	return agent_fields_take(&a->fields, name, value, err);
}

/* -- sealing -- */

static int seal_piece(struct agent_inbound *in, struct err *err)
{
	struct agent_answering *a = &in->answer;

	TRY(envelope_sealer_add(&a->sealer, base_buf_str(&a->plain), &a->sealed.b, err));
	base_buf_clear(&a->plain);
	return 0;
}

static int begin_stream(struct agent_inbound *in, struct err *err)
{
	struct agent_answering *a = &in->answer;
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct envelope_header h = {.mode = ENVELOPE_STREAM, .type = STR(AGENT_BHTTP)};

	TRY(envelope_response_begin(
		in->app->envelope, agent_opening_exchange(in->opening), &h, &k, err));
	TRY(envelope_sealer_begin(&a->sealer, in->app->envelope, &h, &k, &a->sealed.b, err));
	TRY(http_stream_begin(in->r, 200, AGENT_TYPE_STREAM, err));
	a->begun = true;
	return seal_piece(in, err);
}

static int seal_whole(struct agent_inbound *in, struct err *err)
{
	struct agent_answering *a = &in->answer;
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct envelope_header h = {.mode = ENVELOPE_WHOLE,
		.type = STR(AGENT_BHTTP),
		.has_length = true,
		.length = a->plain.len};

	TRY(envelope_response_begin(
		in->app->envelope, agent_opening_exchange(in->opening), &h, &k, err));
	TRY(envelope_body_seal(
		in->app->envelope, &h, &k, base_buf_str(&a->plain), &a->sealed.b, err));
	http_reply_take(in->r, 200, AGENT_TYPE_WHOLE, &a->sealed.b);
	agent_inbound_good(in);
	return 0;
}

/* What GET would be answered with is told as the function tells it (RFC 9110 9.3.2). */
static int tell_length(struct agent_answering *a, struct err *err)
{
	const int n = snprintf(
		a->length_text, sizeof(a->length_text), "%llu", (unsigned long long)a->length);

	return bhttp_fields_add(
		&a->fields.v, STR("content-length"), base_str_n(a->length_text, (size_t)n), err);
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	struct agent_inbound *in = ctx;
	struct agent_answering *a = &in->answer;
	const bool empty = in->is_head || status == 204 || status == 304;
	struct bhttp_head head = {.response = true, .to_head = in->is_head, .status = status};

	a->headed = true;
	/* What the function did not take may be sent again. */
	if (status / 100 == 2)
		agent_opening_delivered(in->opening);
	agent_fields_end(&a->fields);
	if (in->is_head && a->has_length)
		TRY(tell_length(a, err));
	head.fields = a->fields.v;
	head.has_length = empty || a->has_length;
	head.length = empty ? 0 : a->length;
	a->stream = !head.has_length || head.length > AGENT_PROXY_WHOLE;
	TRY(bhttp_encode_head(&a->encoder, &head, &a->plain, err));
	return a->stream ? begin_stream(in, err) : 0;
}

int agent_inbound_flush(struct agent_inbound *in, bool *ret_clear, struct err *err)
{
	struct agent_answering *a = &in->answer;

	TRY(agent_pending_flush(&a->sealed, in->r, ret_clear, err));
	if (*ret_clear && a->complete) {
		http_stream_end(in->r);
		agent_inbound_good(in);
	}
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	struct agent_inbound *in = ctx;
	struct agent_answering *a = &in->answer;
	bool clear = false;

	if (!a->stream) {
		if (!agent_inbound_room(in, a->plain.len + n))
			return HTTP_CALL_WAIT;
		return bhttp_encode_content(&a->encoder, base_str_n(p, n), &a->plain, err);
	}
	/* Behind bytes that wait, more wait. */
	TRY(agent_inbound_flush(in, &clear, err));
	if (!clear)
		return HTTP_CALL_WAIT;
	TRY(bhttp_encode_content(&a->encoder, base_str_n(p, n), &a->plain, err));
	TRY(seal_piece(in, err));
	return agent_inbound_flush(in, &clear, err);
}

static int complete(struct agent_inbound *in, struct err *err)
{
	struct agent_answering *a = &in->answer;
	bool clear = false;

	agent_fields_end(&a->trailers);
	TRY(bhttp_encode_end(&a->encoder, &a->trailers.v, &a->plain, err));
	if (!a->stream)
		return seal_whole(in, err);
	TRY(seal_piece(in, err));
	TRY(envelope_sealer_end(&a->sealer, &a->sealed.b, err));
	a->complete = true;
	return agent_inbound_flush(in, &clear, err);
}

static void on_done(void *ctx, const struct err *cause)
{
	struct agent_inbound *in = ctx;
	struct err err = {0};

	if (in->over)
		return;
	if (cause)
		(void)REFUSE_AS(&err, UNREACHABLE, "the function: %s", cause->msg);
	if (cause || complete(in, &err) < 0)
		agent_inbound_bad(in, &err);
}

const struct http_call_ops agent_inbound_call_ops = {
	.send = on_send, .field = on_field, .head = on_head, .data = on_data, .done = on_done};
