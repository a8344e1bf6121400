#include "agent/outbound_internal.h"

#include "pkg/base/alloc.h"

#include <stdio.h>

/* -- ends -- */

static int64_t took(const struct agent_outbound *o)
{
	return base_boot_ns(&o->app->core.env) - o->started_ns;
}

static void over(struct agent_outbound *o)
{
	o->state = AGENT_OUTBOUND_OVER;
	agent_room_leave(&o->app->room, &o->guest);
	agent_proxy_no_refresh(o->app->proxy, &o->refresh);
	agent_senders_cancel(o->app->senders, &o->waiter);
	o->call = http_call_free(o->call);
	o->sealing = agent_sealing_free(o->sealing);
}

void agent_outbound_good(struct agent_outbound *o)
{
	over(o);
	agent_metrics_message(o->app->metrics,
		&(struct agent_message_end){
			.op = AGENT_OP_OUTBOUND, .took_ns = took(o), .bytes = o->bytes});
}

void agent_outbound_bad(struct agent_outbound *o, const struct err *err)
{
	const struct agent_message_end end = {.op = AGENT_OP_OUTBOUND,
		.problem = agent_problem_of(err),
		.aborted = o->reply.begun,
		.took_ns = took(o)};

	if (o->state == AGENT_OUTBOUND_OVER)
		return;
	over(o);
	agent_app_failed(o->app, "outbound", &end, err);
	if (o->reply.begun)
		http_abort(o->r);
	else
		agent_answer_problem(o->r, err);
	http_resume(o->r);
}

bool agent_outbound_room(struct agent_outbound *o, size_t held)
{
	return held < AGENT_ROOM_SMALL ||
	       agent_room_take(&o->app->room, &o->guest, 2u * ENVELOPE_WHOLE_MAX);
}

static void room_again(void *ctx)
{
	struct agent_outbound *o = ctx;

	http_resume(o->r);
	if (o->call)
		http_call_resume(o->call);
}

static void look_again(void *ctx)
{
	struct agent_outbound *o = ctx;
	struct err err = {0};

	if (agent_outbound_go(o, &err) < 0)
		agent_outbound_bad(o, &err);
	http_resume(o->r);
}

/* -- the request -- */

static int read_fields(struct agent_outbound *o, struct err *err)
{
	struct str name = STR_NULL;
	struct str value = STR_NULL;

	for (size_t i = 0; http_header_at(o->r, i, &name, &value); i++) {
		if (agent_fields_upgrade(name, value))
			return REFUSE_AS(err, UPGRADE,
				"WebSockets and other upgrades do not go through the proxy");
		TRY(agent_fields_take(&o->fields, name, value, err));
	}
	agent_fields_end(&o->fields);
	return 0;
}

/* The target without the part that names the function, as it came. */
static int read_path(struct agent_outbound *o, struct err *err)
{
	const struct str path = http_rest(o->r);
	const struct str query = http_raw_query(o->r);
	const size_t at = o->fields.text.len;
	uint8_t *p = NULL;

	/* The text has its room and does not move. */
	if (o->fields.text.cap == 0)
		TRY(base_buf_room(&o->fields.text, AGENT_FIELDS_BYTES, &p, err));
	TRY(base_buf_add_str(&o->fields.text, path.n ? path : STR("/"), err));
	if (query.p)
		TRY(base_buf_addf(&o->fields.text, err, "?%.*s", STR_FMT(query)));
	o->head.path = base_str_n(o->fields.text.data + at, o->fields.text.len - at);
	return 0;
}

static int read_target(struct agent_outbound *o, struct err *err)
{
	o->ns = http_param(o->r, 0);
	o->function = http_param(o->r, 1);
	o->target = agent_targets_find(&o->app->proxy->targets, o->ns, o->function);
	if (!o->target)
		return REFUSE_AS(err, DENIED, "that function is not in functionkey.dev/outbound");
	(void)snprintf(
		o->authority, sizeof(o->authority), "%s.%s", o->target->function, o->target->ns);
	return read_path(o, err);
}

static int read_request(struct agent_outbound *o, struct err *err)
{
	const bool chunked = http_header(o->r, "Transfer-Encoding", NULL) > 0;
	struct err why = {0};

	TRY(agent_answer_plain(o->r, err));
	TRY(read_target(o, err));
	const int r = read_fields(o, &why);
	if (r < 0 && why.class == ERR_INVALID && agent_problem_of(&why) != AGENT_PROBLEM_UPGRADE)
		return REFUSE_AS(err, MALFORMED, "%s", why.msg);
	if (r < 0)
		return agent_answer_refused(&why, err);
	o->has_length = http_length(o->r, &o->length) || !chunked;
	o->stream = !o->has_length || o->length > AGENT_PROXY_WHOLE;
	o->head.method = http_method(o->r);
	o->reply.decoder.to_head = base_str_eq(o->head.method, STR("HEAD"));
	if (o->reply.decoder.to_head && (o->stream || o->length > 0))
		return REFUSE_AS(err, MALFORMED, "a request by HEAD has no content");
	o->head.scheme = STR("http");
	o->head.authority = base_str(o->authority);
	o->head.fields = o->fields.v;
	o->head.has_length = o->has_length;
	o->head.length = o->length;
	if (o->stream) {
		o->state = AGENT_OUTBOUND_FINDING;
		const int found = agent_outbound_go(o, err);
		return found < 0 ? found : 0;
	}
	if (bhttp_encode_head(&o->encoder, &o->head, &o->plain, &why) < 0)
		return REFUSE_AS(err, MALFORMED, "%s", why.msg);
	return 0;
}

/* -- http_ops -- */

static int on_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_outbound *o = base_alloc(1, sizeof(*o));

	if (!o)
		return FAIL(err, ERR_NOMEM, "request");
	o->app = ctx;
	o->r = r;
	o->waiter = (struct agent_senders_waiter){.again = look_again, .ctx = o};
	o->guest = (struct agent_guest){.again = room_again, .ctx = o};
	o->refresh = (struct agent_refresh){.look = look_again, .ctx = o};
	o->fields = agent_fields();
	o->plain = base_buf(ENVELOPE_WHOLE_MAX);
	o->up.b = base_buf(ENVELOPE_MESSAGE_MAX);
	o->reply.decoder = bhttp_decoder(true);
	o->started_ns = base_boot_ns(&o->app->core.env);
	http_set_state(r, o);
	(void)!read_request(o, &o->refused);
	return 0;
}

static int take(
	struct agent_outbound *o, const uint8_t *p, size_t n, size_t *ret_taken, struct err *err)
{
	if (o->refused.class) {
		o->dropped += n;
		return o->dropped > AGENT_REFUSE_AFTER ? agent_answer_refused(&o->refused, err) : 0;
	}
	*ret_taken = 0;
	if (o->state == AGENT_OUTBOUND_FINDING)
		return 0;
	if (!o->stream) {
		if (!agent_outbound_room(o, (size_t)o->length))
			return 0;
		*ret_taken = n;
		return bhttp_encode_content(&o->encoder, base_str_n(p, n), &o->plain, err);
	}
	if (agent_pending_len(&o->up) > AGENT_PROXY_PENDING)
		return 0;
	*ret_taken = n < AGENT_PROXY_PIECE ? n : AGENT_PROXY_PIECE;
	return agent_outbound_add(o, base_str_n(p, *ret_taken), err);
}

static int on_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	struct agent_outbound *o = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	*ret_taken = n;
	if (o->state >= AGENT_OUTBOUND_ANSWERING || take(o, p, n, ret_taken, &why) == 0)
		return 0;
	*ret_taken = n;
	agent_outbound_bad(o, &why);
	return 0;
}

static int end(struct agent_outbound *o, struct err *err)
{
	if (o->refused.class)
		return agent_answer_refused(&o->refused, err);
	if (o->stream)
		return o->state == AGENT_OUTBOUND_FINDING ? 0 : agent_outbound_end(o, err);
	TRY(bhttp_encode_end(&o->encoder, NULL, &o->plain, err));
	o->state = AGENT_OUTBOUND_FINDING;
	return agent_outbound_go(o, err);
}

static int on_end(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_outbound *o = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	o->ended = true;
	if (o->state < AGENT_OUTBOUND_ANSWERING && end(o, &why) < 0)
		agent_outbound_bad(o, &why);
	return 0;
}

static void on_writable(void *ctx, struct http_request *r)
{
	struct agent_outbound *o = http_state(r);
	struct err why = {0};
	bool clear = false;
	int result = 0;

	(void)ctx;
	if (o->state == AGENT_OUTBOUND_OVER)
		return;
	if (o->state == AGENT_OUTBOUND_ANSWERING)
		result = agent_outbound_answer(o, &why);
	else
		result = agent_pending_flush(&o->reply.content, r, &clear, &why);
	if (result < 0)
		agent_outbound_bad(o, &why);
	else if (clear && o->call)
		http_call_resume(o->call);
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct agent_outbound *o = http_state(r);

	(void)ctx;
	if (!o)
		return;
	if (o->state != AGENT_OUTBOUND_OVER)
		agent_app_gone(o->app, "outbound", AGENT_OP_OUTBOUND, took(o), http_stalled(r));
	over(o);
	agent_fields_done(&o->fields);
	base_buf_wipe(&o->plain);
	agent_pending_done(&o->up);
	agent_reply_done(&o->reply);
	base_free(o);
}

const struct http_ops agent_outbound_ops = {.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.gone = on_gone};
