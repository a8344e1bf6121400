#include "agent/inbound_internal.h"

#include "pkg/base/alloc.h"

/* What is sealed can be longer than its plaintext by a head and a tag for each segment. */
#define SEALED_MAX (ENVELOPE_STREAM_MAX + ENVELOPE_STREAM_MAX / 1024 + ENVELOPE_HEAD_MAX)

/* -- ends -- */

static int64_t took(const struct agent_inbound *in)
{
	return base_boot_ns(&in->app->core.env) - in->started_ns;
}

static void over(struct agent_inbound *in)
{
	in->over = true;
	agent_room_leave(&in->app->room, &in->guest);
	in->call = http_call_free(in->call);
}

void agent_inbound_good(struct agent_inbound *in)
{
	over(in);
	agent_metrics_message(in->app->metrics,
		&(struct agent_message_end){
			.op = AGENT_OP_INBOUND, .took_ns = took(in), .bytes = in->bytes});
}

enum agent_problem agent_inbound_problem(const struct err *err, bool delivered)
{
	/* What is not in the table is the message's fault, and none of the sender's business. */
	static const enum agent_problem told[AGENT_PROBLEM_COUNT] = {
		[AGENT_PROBLEM_NO_KEY] = AGENT_PROBLEM_STALE_EPOCH,
		[AGENT_PROBLEM_STALE_EPOCH] = AGENT_PROBLEM_STALE_EPOCH,
		[AGENT_PROBLEM_NOT_READY] = AGENT_PROBLEM_NOT_READY,
		[AGENT_PROBLEM_NO_HOLDER] = AGENT_PROBLEM_NOT_READY,
		[AGENT_PROBLEM_UNREACHABLE] = AGENT_PROBLEM_NOT_READY,
		[AGENT_PROBLEM_INTERNAL] = AGENT_PROBLEM_NOT_READY,
	};
	const enum agent_problem problem = told[agent_problem_of(err)];

	/* Another replica is asked then, which must not be where this one may have done it. */
	if (problem == AGENT_PROBLEM_NOT_READY && delivered)
		return AGENT_PROBLEM_UNREACHABLE;
	return problem ? problem : AGENT_PROBLEM_CANNOT_OPEN;
}

void agent_inbound_bad(struct agent_inbound *in, const struct err *err)
{
	const struct agent_message_end end = {.op = AGENT_OP_INBOUND,
		.problem = agent_problem_of(err),
		.aborted = in->answer.begun,
		.took_ns = took(in)};
	const bool delivered = in->call && http_call_reached(in->call);
	const struct agent_problem_row *row =
		agent_problem_row(agent_inbound_problem(err, delivered));

	if (in->over)
		return;
	over(in);
	agent_app_failed(in->app, "inbound", &end, err);
	if (in->answer.begun)
		http_abort(in->r);
	else
		http_reply_problem(in->r, (unsigned)row->status, row->uri, row->title, STR_NULL,
			row->retry_after);
	http_resume(in->r);
}

bool agent_inbound_room(struct agent_inbound *in, size_t held)
{
	return held < AGENT_ROOM_SMALL ||
	       agent_room_take(&in->app->room, &in->guest, 2u * ENVELOPE_WHOLE_MAX);
}

static void room_again(void *ctx)
{
	struct agent_inbound *in = ctx;

	http_resume(in->r);
	if (in->call)
		http_call_resume(in->call);
}

/* -- the request -- */

static bool is_stream(const struct agent_inbound *in)
{
	const struct agent_opened *head = agent_opening_head(in->opening);

	return head && head->header->mode == ENVELOPE_STREAM;
}

/* Binary HTTP that verified becomes a body for the function. */
static int decode(struct agent_inbound *in, struct err *err)
{
	TRY(bhttp_decode(&in->decoder, base_buf_str(&in->plain), &in->body.b, err));
	base_wipe(in->plain.data, in->plain.len);
	base_buf_clear(&in->plain);
	if (!is_stream(in))
		return 0;
	if (!in->call && bhttp_decoded_head(&in->decoder))
		TRY(agent_inbound_call(in, false, err));
	if (in->call)
		http_call_resume(in->call);
	return 0;
}

static int add_trailers(struct agent_inbound *in, struct err *err)
{
	const struct bhttp_fields *trailers = bhttp_decoded_trailers(&in->decoder);

	for (size_t i = 0; i < trailers->n; i++)
		TRY(http_call_trailer(in->call, trailers->v[i].name, trailers->v[i].value, err));
	if (!in->tells_level)
		return 0;
	return http_call_trailer(in->call, STR(AGENT_REPORT_LEVEL),
		base_str(agent_sender_levels[agent_opening_sender(in->opening)->level]), err);
}

/* 0 or AGENT_OPENING_WAIT. */
static int finish(struct agent_inbound *in, struct err *err)
{
	int r = 0;

	if (!in->opened)
		r = agent_opening_end(in->opening, &in->plain, err);
	in->opened = true;
	in->waits = r == AGENT_OPENING_WAIT;
	if (r != 0)
		return r;
	TRY(decode(in, err));
	TRY(bhttp_decode_end(&in->decoder, err));
	in->bytes = in->decoder.content;
	if (!in->call)
		TRY(agent_inbound_call(in, true, err));
	TRY(add_trailers(in, err));
	in->body_complete = true;
	http_call_resume(in->call);
	return 0;
}

static int go_on(struct agent_inbound *in, struct err *err)
{
	const int r = agent_opening_resume(in->opening, &in->plain, err);

	if (r != 0)
		return r;
	in->waits = false;
	TRY(decode(in, err));
	return in->ended ? finish(in, err) : 0;
}

static void ready(void *ctx)
{
	struct agent_inbound *in = ctx;
	struct err err = {0};
	const int r = go_on(in, &err);

	if (r == AGENT_OPENING_WAIT)
		return;
	if (r < 0)
		agent_inbound_bad(in, &err);
	http_resume(in->r);
}

static int read_request(struct agent_inbound *in, struct err *err)
{
	struct str type = STR_NULL;

	if (http_header(in->r, "Content-Type", &type) != 1 ||
		(!base_str_eq(type, STR(AGENT_TYPE_WHOLE)) &&
			!base_str_eq(type, STR(AGENT_TYPE_STREAM))))
		return REFUSE_AS(err, CANNOT_OPEN, "the request is not sealed");
	if (!in->app->openings)
		return REFUSE_AS(err, NOT_READY, "%s", in->app->starting);
	TRY(agent_opening_new(in->app->openings, ready, in, &in->opening, err));
	agent_opening_expect(in->opening, ENVELOPE_REQUEST);
	return 0;
}

/* -- http_ops -- */

static int on_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_inbound *in = base_alloc(1, sizeof(*in));

	if (!in)
		return FAIL(err, ERR_NOMEM, "request");
	in->app = ctx;
	in->r = r;
	in->guest = (struct agent_guest){.again = room_again, .ctx = in};
	in->plain = base_buf(ENVELOPE_OUT_ROOM(ENVELOPE_HEAD_MAX + ENVELOPE_WHOLE_MAX));
	in->body.b = base_buf(ENVELOPE_WHOLE_MAX);
	in->decoder = bhttp_decoder(false);
	in->answer = agent_answering();
	in->started_ns = base_boot_ns(&in->app->core.env);
	http_set_state(r, in);
	(void)!read_request(in, &in->refused);
	return 0;
}

static int take(
	struct agent_inbound *in, const uint8_t *p, size_t n, size_t *ret_taken, struct err *err)
{
	if (in->refused.class) {
		in->taken += n;
		return in->taken > AGENT_REFUSE_AFTER ? agent_answer_refused(&in->refused, err) : 0;
	}
	*ret_taken = 0;
	if (in->waits || agent_pending_len(&in->body) > AGENT_PROXY_PENDING)
		return 0;
	if (agent_opening_head(in->opening) && !is_stream(in) &&
		!agent_inbound_room(in, (size_t)in->taken))
		return 0;
	*ret_taken = n < AGENT_CHUNK_MAX ? n : AGENT_CHUNK_MAX;
	in->taken += *ret_taken;
	const int r = agent_opening_add(in->opening, base_str_n(p, *ret_taken), &in->plain, err);
	if (r < 0)
		return r;
	in->waits = r == AGENT_OPENING_WAIT;
	return in->waits ? 0 : decode(in, err);
}

static int on_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	struct agent_inbound *in = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	*ret_taken = n;
	if (in->over || take(in, p, n, ret_taken, &why) == 0)
		return 0;
	*ret_taken = n;
	agent_inbound_bad(in, &why);
	return 0;
}

static int on_end(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_inbound *in = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	in->ended = true;
	if (in->waits || in->over)
		return 0;
	if ((in->refused.class ? agent_answer_refused(&in->refused, &why) : finish(in, &why)) < 0)
		agent_inbound_bad(in, &why);
	return 0;
}

static void on_writable(void *ctx, struct http_request *r)
{
	struct agent_inbound *in = http_state(r);
	struct err why = {0};
	bool clear = false;

	(void)ctx;
	if (in->over)
		return;
	if (agent_inbound_flush(in, &clear, &why) < 0)
		agent_inbound_bad(in, &why);
	else if (clear && in->call)
		http_call_resume(in->call);
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct agent_inbound *in = http_state(r);

	(void)ctx;
	if (!in)
		return;
	if (!in->over)
		agent_metrics_message(in->app->metrics,
			&(struct agent_message_end){
				.op = AGENT_OP_INBOUND, .aborted = true, .took_ns = took(in)});
	over(in);
	agent_opening_free(in->opening);
	base_buf_wipe(&in->plain);
	bhttp_decoder_done(&in->decoder);
	agent_pending_done(&in->body);
	agent_answering_done(&in->answer);
	base_free(in);
}

static const struct http_ops sealed_ops = {.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.gone = on_gone};

/* -- what is not sealed -- */

static int plain_begin(void *ctx, struct http_request *r, struct err *err)
{
	const struct agent_problem_row *row = agent_problem_row(AGENT_PROBLEM_CANNOT_OPEN);

	(void)ctx;
	(void)err;
	http_reply_problem(r, (unsigned)row->status, row->uri, row->title,
		STR("only sealed requests are taken here"), 0);
	return 0;
}

static int plain_end(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)r;
	(void)err;
	return 0;
}

static void plain_gone(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
}

static const struct http_ops plain_ops = {
	.begin = plain_begin, .end = plain_end, .gone = plain_gone};

void agent_inbound_routes(struct agent_proxy *proxy, struct http_route routes[static 2])
{
	routes[0] = (struct http_route){
		"POST", AGENT_INBOUND_PATH, &sealed_ops, proxy->app, SEALED_MAX, HTTP_LONG};
	routes[1] = (struct http_route){"*", "/*", &plain_ops, proxy->app, ENVELOPE_STREAM_MAX, 0};
}
