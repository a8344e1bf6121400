#include "agent/outbound_internal.h"

#include "pkg/base/text.h"

#define IN_MAX (ENVELOPE_HEAD_MAX + (128u << 10))

void agent_reply_done(struct agent_reply *reply)
{
	base_buf_done(&reply->in);
	base_buf_wipe(&reply->plain);
	envelope_opener_done(&reply->opener);
	bhttp_decoder_done(&reply->decoder);
	agent_pending_done(&reply->content);
}

/* For one more try. */
static void reset(struct agent_reply *reply)
{
	agent_reply_done(reply);
	const bool to_head = reply->decoder.to_head;
	*reply = (struct agent_reply){.decoder = bhttp_decoder(true)};
	reply->decoder.to_head = to_head;
}

/* -- the request's bytes -- */

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct agent_outbound *o = ctx;

	(void)err;
	if (!o->stream) {
		/* All of it stays, should the connection turn out to be dead. */
		const struct str rest = base_str_sub(base_buf_str(&o->up.b), o->sent, o->up.b.len);
		*ret_n = rest.n < cap ? rest.n : cap;
		memcpy(dst, rest.p, *ret_n);
		o->sent += *ret_n;
		return 0;
	}
	const int r = agent_pending_send(&o->up, o->up_complete, dst, cap, ret_n);
	if (agent_pending_len(&o->up) < AGENT_PROXY_PIECE)
		http_resume(o->r);
	return r;
}

static int on_rewind(void *ctx)
{
	struct agent_outbound *o = ctx;

	if (o->stream)
		return -(int)ERR_INVALID;
	o->sent = 0;
	return 0;
}

/* -- the answer's bytes -- */

static int on_field(void *ctx, struct str name, struct str value, struct err *err)
{
	struct agent_outbound *o = ctx;

	(void)err;
	if (base_str_eq(name, STR("content-type")))
		o->reply.sealed = base_str_eq(value, STR(AGENT_TYPE_WHOLE)) ||
				  base_str_eq(value, STR(AGENT_TYPE_STREAM));
	return 0;
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	struct agent_reply *reply = &((struct agent_outbound *)ctx)->reply;

	(void)err;
	reply->status = status;
	reply->in = base_buf(IN_MAX);
	reply->plain = base_buf(ENVELOPE_WHOLE_MAX);
	reply->content.b = base_buf(ENVELOPE_WHOLE_MAX);
	return 0;
}

static int add_fields(struct agent_outbound *o, const struct bhttp_head *head, char *type,
	size_t cap, struct err *err)
{
	struct str value = STR_NULL;

	if (bhttp_fields_find(&head->fields, STR("content-type"), &value) > 0)
		TRY(base_str_copy(value, type, cap, "content-type", err));
	for (size_t i = 0; i < head->fields.n; i++) {
		const struct bhttp_field *f = &head->fields.v[i];
		char name[256];
		if (agent_fields_own(f->name) || base_str_eq(f->name, STR("content-type")) ||
			base_str_eq(f->name, STR("date")))
			continue;
		TRY(base_str_copy(f->name, name, sizeof(name), "name", err));
		TRY(http_add_header(o->r, name, f->value, err));
	}
	return 0;
}

static int begin_stream(struct agent_outbound *o, struct err *err)
{
	const struct bhttp_head *head = bhttp_decoded_head(&o->reply.decoder);
	char type[256] = "";

	TRY(add_fields(o, head, type, sizeof(type), err));
	TRY(http_stream_begin(o->r, head->status, type[0] ? type : NULL, err));
	o->reply.begun = true;
	return 0;
}

/* Hands on what a stream has released so far. */
static int hand_on(struct agent_outbound *o, struct err *err)
{
	struct agent_reply *reply = &o->reply;
	bool clear = false;

	if (!reply->stream || reply->decoder.to_head || !bhttp_decoded_head(&reply->decoder))
		return 0;
	if (!reply->begun)
		TRY(begin_stream(o, err));
	return agent_pending_flush(&reply->content, o->r, &clear, err);
}

static int decode(struct agent_outbound *o, struct err *err)
{
	struct agent_reply *reply = &o->reply;
	const int r =
		bhttp_decode(&reply->decoder, base_buf_str(&reply->plain), &reply->content.b, err);

	base_buf_clear(&reply->plain);
	return r;
}

static int begin_opening(struct agent_outbound *o, struct err *err)
{
	struct agent_reply *reply = &o->reply;
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct envelope_message m;
	struct err why = {0};

	if (envelope_parse(base_buf_str(&reply->in), &m, &why) < 0)
		return why.class == ERR_NOT_READY ? 0 : agent_answer_refused(&why, err);
	TRY(envelope_response_secret(
		o->app->envelope, agent_sealing_exchange(o->sealing), &m.header, &k, err));
	TRY(envelope_opener_begin(&reply->opener, o->app->envelope, &m, &k, err));
	reply->opening = true;
	reply->stream = m.header.mode == ENVELOPE_STREAM;
	TRY(envelope_opener_add(&reply->opener,
		base_str_sub(base_buf_str(&reply->in), m.body_at, reply->in.len), &reply->plain,
		err));
	base_buf_done(&reply->in);
	return decode(o, err);
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	struct agent_outbound *o = ctx;
	struct agent_reply *reply = &o->reply;

	if (reply->status != 200 || !reply->sealed)
		return 0; /* a problem: nothing that it says is taken from there */
	/* Behind bytes that wait, more wait. */
	if (reply->begun && agent_pending_len(&reply->content) > 0)
		return HTTP_CALL_WAIT;
	if (!reply->stream && !agent_outbound_room(o, reply->opener.total + n))
		return HTTP_CALL_WAIT;
	if (!reply->opening) {
		TRY(base_buf_add(&reply->in, p, n, err));
		TRY(begin_opening(o, err));
	} else {
		TRY(envelope_opener_add(&reply->opener, base_str_n(p, n), &reply->plain, err));
		TRY(decode(o, err));
	}
	return hand_on(o, err);
}

/* -- the end -- */

static int add_trailers(struct agent_outbound *o, struct err *err)
{
	const struct bhttp_fields *trailers = bhttp_decoded_trailers(&o->reply.decoder);
	char name[256];

	for (size_t i = 0; i < trailers->n; i++) {
		TRY(base_str_copy(trailers->v[i].name, name, sizeof(name), "name", err));
		TRY(http_add_trailer(o->r, name, trailers->v[i].value, err));
	}
	return 0;
}

static int answer_head(
	struct agent_outbound *o, const struct bhttp_head *head, const char *type, struct err *err)
{
	struct str text = STR_NULL;
	uint64_t length = 0;
	const bool has = bhttp_fields_find(&head->fields, STR("content-length"), &text) > 0;

	if (has)
		TRY(base_parse_u64(text, BHTTP_CONTENT_MAX, &length, err));
	http_reply_head(o->r, head->status, type, has ? &length : NULL);
	agent_outbound_good(o);
	return 0;
}

static int answer_whole(struct agent_outbound *o, struct err *err)
{
	const struct bhttp_head *head = bhttp_decoded_head(&o->reply.decoder);
	char type[256] = "";

	TRY(add_fields(o, head, type, sizeof(type), err));
	o->bytes += o->reply.content.b.len;
	if (o->reply.decoder.to_head)
		return answer_head(o, head, type[0] ? type : NULL, err);
	http_reply_take(o->r, head->status, type[0] ? type : NULL, &o->reply.content.b);
	agent_outbound_good(o);
	return 0;
}

int agent_outbound_answer(struct agent_outbound *o, struct err *err)
{
	struct agent_reply *reply = &o->reply;
	bool clear = false;

	if (reply->decoder.to_head)
		return answer_whole(o, err);
	if (!reply->stream && bhttp_decoded_trailers(&reply->decoder)->n == 0)
		return answer_whole(o, err);
	if (!reply->begun)
		TRY(begin_stream(o, err));
	TRY(agent_pending_flush(&reply->content, o->r, &clear, err));
	if (!clear)
		return 0;
	TRY(add_trailers(o, err));
	http_stream_end(o->r);
	agent_outbound_good(o);
	return 0;
}

static int read_rest(struct agent_outbound *o, struct err *err)
{
	struct agent_reply *reply = &o->reply;

	TRY(envelope_opener_end(&reply->opener, &reply->plain, err));
	TRY(decode(o, err));
	return bhttp_decode_end(&reply->decoder, err);
}

static int complete(struct agent_outbound *o, struct err *err)
{
	struct err why = {0};

	if (!o->reply.opening)
		return REFUSE_AS(err, UNREACHABLE, "the answer ends inside of its head");
	const int r = read_rest(o, &why);
	/* Not well-formed: the peer's fault, not our function's. */
	if (r == -(int)ERR_INVALID)
		return REFUSE_AS(err, UNREACHABLE, "the recipient's answer: %s", why.msg);
	if (r < 0)
		return agent_answer_refused(&why, err);
	o->state = AGENT_OUTBOUND_ANSWERING;
	return agent_outbound_answer(o, err);
}

/* The recipient says that our key is old: only our own watch says what is newer. */
static int refresh(struct agent_outbound *o, struct err *err)
{
	if (o->retried || o->stream)
		return REFUSE_AS(err, NOT_READY, "the recipient's key was just replaced");
	o->retried = true;
	o->sent = 0;
	o->refresh_until_ns = base_boot_ns(&o->app->core.env) + AGENT_REFRESH_NS;
	o->state = AGENT_OUTBOUND_REFRESHING;
	o->call = http_call_free(o->call);
	reset(&o->reply);
	const int r = agent_outbound_go(o, err);
	return r < 0 ? r : 0;
}

/* Whether it is certain that nobody's function got the request. */
static bool undelivered(const struct agent_outbound *o, const struct err *cause)
{
	return cause ? !http_call_reached(o->call) : o->reply.status == 503;
}

static int judge(struct agent_outbound *o, const struct err *cause, struct err *err)
{
	const struct agent_reply *reply = &o->reply;

	if (cause && (reply->begun || cause->class == ERR_TAMPERED))
		return agent_answer_refused(cause, err);
	if (undelivered(o, cause)) {
		const int r = agent_outbound_elsewhere(o, err);
		if (r > 0)
			reset(&o->reply);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (cause)
		return REFUSE_AS(err, UNREACHABLE, "the recipient's agent: %s", cause->msg);
	if (reply->status == 409)
		return refresh(o, err);
	if (reply->status == 503)
		return REFUSE_AS(err, NOT_READY, "the recipient is not ready");
	if (reply->status != 200 || !reply->sealed)
		return REFUSE_AS(
			err, UNREACHABLE, "the recipient's agent answered %u", reply->status);
	return complete(o, err);
}

static void on_done(void *ctx, const struct err *cause)
{
	struct agent_outbound *o = ctx;
	struct err err = {0};

	if (o->state == AGENT_OUTBOUND_CALLING && judge(o, cause, &err) < 0)
		agent_outbound_bad(o, &err);
}

const struct http_call_ops agent_outbound_call_ops = {.send = on_send,
	.rewind = on_rewind,
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.done = on_done};
