#include "agent/decrypt.h"

#include "agent/answer.h"
#include "agent/event_http.h"
#include "agent/pending.h"
#include "agent/report.h"
#include "pkg/base/alloc.h"

#define VERIFIED  "Functionkey-Verified"
#define OUTER_MAX (AGENT_EVENT_AROUND_MAX + AGENT_EVENT_BASE64(ENVELOPE_MESSAGE_MAX))
#define TAKE_ROOM ENVELOPE_OUT_ROOM(AGENT_CHUNK_MAX)
/* A whole message; or what is taken ahead of a stream, and a piece and the end behind it. */
#define OUT_MAX (ENVELOPE_WHOLE_MAX + ENVELOPE_SENDER_EXTRA_MAX + 2 * TAKE_ROOM)

struct decrypting {
	struct agent_app *app;
	struct http_request *r;
	struct agent_opening *opening;
	struct agent_guest guest; /* of the room for what is held */
	uint64_t taken;           /* bytes of the message */
	struct err refused;       /* why it is refused; told when the body, or enough of it, came */
	bool waits;               /* for the key: no body is taken */
	bool ended;               /* the body was complete while it waited */
	bool begun;               /* the answer has begun: a stream */
	bool opened;              /* the opening has its end */
	bool complete;            /* all is opened, not all is sent */
	bool over;                /* answered or cut */
	bool structured;          /* the message comes as the data of a structured event */
	bool wants_structured;    /* Accept asks for one */
	struct agent_attributes outer; /* of the event that the message came in, if it did */
	struct buf event;              /* structured: as it came */
	struct buf message;            /* structured: its data, taken by opening up to message_at */
	size_t message_at;
	struct agent_pending out; /* plaintext that verified */
	uint64_t bytes;
};

/* False: there is no room now; the request will be resumed. */
static bool take_room(struct decrypting *d)
{
	const struct agent_opened *head = agent_opening_head(d->opening);
	const size_t n = (d->structured ? 5u : 2u) * ENVELOPE_WHOLE_MAX;

	if (d->taken < AGENT_ROOM_SMALL)
		return true;
	if (!d->structured && (!head || head->header->mode != ENVELOPE_WHOLE))
		return true;
	return agent_room_take(&d->app->room, &d->guest, n);
}

static void room_again(void *ctx)
{
	http_resume(((struct decrypting *)ctx)->r);
}

/* -- ends -- */

static int64_t took(const struct decrypting *d)
{
	const int64_t now = base_boot_ns(&d->app->core.env);

	return d->opening ? now - agent_opening_started_ns(d->opening) : 0;
}

static void good(struct decrypting *d)
{
	d->over = true;
	agent_room_leave(&d->app->room, &d->guest);
	agent_opening_delivered(d->opening);
	agent_metrics_message(d->app->metrics,
		&(struct agent_message_end){
			.op = AGENT_OP_DECRYPT, .took_ns = took(d), .bytes = d->bytes});
}

/* Which key the sender should look for in its own watch. */
static void add_hint(struct decrypting *d)
{
	const struct crds_functionkey *record = agent_replica_record(d->app->replica);

	if (record)
		(void)!agent_answer_number(
			d->r, "Functionkey-Epoch", (uint64_t)record->active_epoch, NULL);
}

static void bad(struct decrypting *d, const struct err *err)
{
	const struct agent_message_end end = {.op = AGENT_OP_DECRYPT,
		.problem = agent_problem_of(err),
		.aborted = d->begun,
		.took_ns = took(d)};

	d->over = true;
	agent_room_leave(&d->app->room, &d->guest);
	agent_app_failed(d->app, "decrypt", &end, err);
	if (!d->begun && agent_problem_of(err) == AGENT_PROBLEM_STALE_EPOCH)
		add_hint(d);
	if (d->begun)
		http_abort(d->r);
	else
		agent_answer_problem(d->r, err);
}

/* -- the answer -- */

static int add_field(void *ctx, const char *name, struct str value, struct err *err)
{
	return http_add_header(ctx, name, value, err);
}

static int add_headers(struct decrypting *d, const struct agent_opened *head,
	char type[static ENVELOPE_TYPE_MAX + 1], struct err *err)
{
	static const char *const kinds[ENVELOPE_KIND_COUNT] = {
		[ENVELOPE_EVENT] = "event",
		[ENVELOPE_REQUEST] = "request",
		[ENVELOPE_RESPONSE] = "response",
	};
	const struct envelope_header *h = head->header;

	TRY(base_str_copy(h->type, type, ENVELOPE_TYPE_MAX + 1, "type", err));
	TRY(agent_answer_hex(d->r, "Functionkey-Id", h->id, sizeof(h->id), err));
	TRY(agent_answer_number(d->r, "Functionkey-Epoch", (uint64_t)head->epoch, err));
	TRY(http_add_header(d->r, "Functionkey-Epoch-State",
		base_str(agent_epoch_state_name(head->state)), err));
	TRY(http_add_header(d->r, "Functionkey-Kind", base_str(kinds[h->kind]), err));
	const struct agent_report report = {.add = add_field, .ctx = d->r};
	return agent_report_sender(agent_opening_sender(d->opening), &report, err);
}

/* Of a stream, the header can tell only what its first bytes showed. */
static int add_trailers(struct decrypting *d, struct err *err)
{
	const struct agent_sender *s = agent_opening_sender(d->opening);

	if (s->level != ENVELOPE_SENDER_NONE && s->stated > s->level)
		TRY(http_add_trailer(
			d->r, AGENT_REPORT_LEVEL, base_str(agent_sender_levels[s->stated]), err));
	return http_add_trailer(d->r, VERIFIED, STR("true"), err);
}

/* Once the header is verified: it was sealed with the attributes with which it came. */
static int check_outer(const struct decrypting *d, const struct envelope_header *h, struct err *err)
{
	struct str outer[ENVELOPE_ATTRIBUTE_COUNT];

	if (d->outer.store.len == 0)
		return 0;
	agent_attributes_list(&d->outer, outer);
	return agent_event_outside(outer, h->attributes, err);
}

static int begin_stream(struct decrypting *d, struct err *err)
{
	const struct agent_opened *head = agent_opening_head(d->opening);
	char type[ENVELOPE_TYPE_MAX + 1];

	TRY(check_outer(d, head->header, err));
	TRY(add_headers(d, head, type, err));
	TRY(agent_event_add(d->r, head->header->attributes, err));
	TRY(add_trailers(d, err));
	TRY(http_stream_begin(d->r, 200, type, err));
	d->begun = true;
	return 0;
}

/* Sends what waits; *ret_clear tells whether nothing does any more. */
static int flush(struct decrypting *d, bool *ret_clear, struct err *err)
{
	if (!d->begun && d->out.b.len == 0) {
		*ret_clear = true;
		return 0;
	}
	if (!d->begun)
		TRY(begin_stream(d, err));
	return agent_pending_flush_held(&d->out, d->r, &d->app->room, &d->guest, ret_clear, err);
}

static int reply_whole(struct decrypting *d, const struct envelope_header *h, const char *type,
	struct buf *out, struct err *err)
{
	const bool event = h->attributes[ENVELOPE_CE_SPECVERSION].p != NULL;
	const bool structured = agent_event_is_json(h->type);

	if (event && structured)
		TRY(agent_event_inside(base_buf_str(out), h->attributes, err));
	else if (event && d->wants_structured)
		return agent_event_reply(d->r, h->attributes, h->type, base_buf_str(out), err);
	else
		TRY(agent_event_add(d->r, h->attributes, err));
	http_reply_take(d->r, 200, type, out);
	return 0;
}

/* Gives the opening its end, once. 0 or AGENT_OPENING_WAIT. */
static int end_opening(struct decrypting *d, struct err *err)
{
	const size_t before = d->out.b.len;

	if (d->opened)
		return 0;
	d->opened = true;
	const int r = agent_opening_end(d->opening, &d->out.b, err);
	d->bytes += d->out.b.len - before;
	d->waits = r == AGENT_OPENING_WAIT;
	return r;
}

static int finish_whole(struct decrypting *d, struct err *err)
{
	char type[ENVELOPE_TYPE_MAX + 1];
	const int r = end_opening(d, err);

	if (r != 0)
		return r;
	const struct agent_opened *head = agent_opening_head(d->opening);
	TRY(check_outer(d, head->header, err));
	TRY(add_headers(d, head, type, err));
	TRY(reply_whole(d, head->header, type, &d->out.b, err));
	good(d);
	return 0;
}

static int finish_stream(struct decrypting *d, struct err *err)
{
	bool clear = false;

	if (!d->complete) {
		const int r = end_opening(d, err);
		if (r != 0)
			return r;
		d->complete = true;
		if (!d->begun)
			TRY(begin_stream(d, err));
	}
	TRY(flush(d, &clear, err));
	if (clear) {
		http_stream_end(d->r);
		good(d);
	}
	return 0;
}

static int finish(struct decrypting *d, struct err *err)
{
	const struct agent_opened *head = agent_opening_head(d->opening);

	if (head && head->header->mode == ENVELOPE_STREAM)
		return finish_stream(d, err);
	return finish_whole(d, err);
}

/* -- structured events -- */

/* Gives the message to the opening. 0 or AGENT_OPENING_WAIT. */
static int pump(struct decrypting *d, struct err *err)
{
	while (d->message_at < d->message.len) {
		const size_t left = d->message.len - d->message_at;
		const size_t n = left < AGENT_CHUNK_MAX ? left : AGENT_CHUNK_MAX;
		const struct str piece = base_str_n(d->message.data + d->message_at, n);
		const int r = agent_opening_add(d->opening, piece, &d->out.b, err);
		if (r < 0)
			return r;
		d->message_at += n;
		d->waits = r == AGENT_OPENING_WAIT;
		const struct agent_opened *head = agent_opening_head(d->opening);
		if (head && head->header->mode != ENVELOPE_WHOLE)
			return REFUSE_AS(err, MALFORMED, "streams come in binary mode alone");
		if (d->waits)
			return AGENT_OPENING_WAIT;
	}
	return 0;
}

/* The event is complete. */
static int unwrap(struct decrypting *d, struct err *err)
{
	TRY(agent_event_read(base_buf_str(&d->event), &d->outer, &d->message, err));
	base_buf_done(&d->event);
	const int r = pump(d, err);
	return r == 0 ? finish(d, err) : r;
}

/* -- the key comes -- */

static int go_on(struct decrypting *d, struct err *err)
{
	bool clear = false;
	const size_t before = d->out.b.len;
	const int r = agent_opening_resume(d->opening, &d->out.b, err);

	if (r != 0)
		return r;
	d->waits = false;
	d->bytes += d->out.b.len - before;
	if (d->structured) {
		const int pumped = pump(d, err);
		if (pumped != 0)
			return pumped;
	}
	if (d->ended)
		return finish(d, err);
	return flush(d, &clear, err);
}

static void ready(void *ctx)
{
	struct decrypting *d = ctx;
	struct err err = {0};
	const int r = go_on(d, &err);

	if (r == AGENT_OPENING_WAIT)
		return;
	if (r < 0)
		bad(d, &err);
	http_resume(d->r);
}

/* -- http_ops -- */

/* Whether the message comes as the data of an event. */
static int read_event(struct decrypting *d, struct err *err)
{
	struct str type = STR_NULL, outer[ENVELOPE_ATTRIBUTE_COUNT];
	const size_t n = http_header(d->r, "Content-Type", &type);

	if (n > 1)
		return REFUSE_AS(err, MALFORMED, "Content-Type");
	d->wants_structured = agent_event_wanted(d->r);
	d->structured = n == 1 && agent_event_is_json(type);
	if (d->structured)
		return 0; /* headers do not count then */
	TRY(agent_event_take(d->r, &d->outer, err));
	if (d->outer.store.len == 0)
		return 0;
	agent_attributes_list(&d->outer, outer);
	return agent_event_check(outer, err);
}

static int read_request(struct decrypting *d, struct err *err)
{
	TRY(agent_answer_allowed(d->r, err));
	TRY(read_event(d, err));
	if (!d->app->openings)
		return REFUSE_AS(err, NOT_READY, "%s", d->app->starting);
	return agent_opening_new(d->app->openings, ready, d, &d->opening, err);
}

static int on_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct decrypting *d = base_alloc(1, sizeof(*d));

	if (!d)
		return FAIL(err, ERR_NOMEM, "request");
	d->app = ctx;
	d->guest = (struct agent_guest){.again = room_again, .ctx = d};
	d->r = r;
	d->outer = agent_attributes();
	d->event = base_buf(OUTER_MAX);
	d->message = base_buf(ENVELOPE_MESSAGE_MAX);
	d->out.b = base_buf(OUT_MAX);
	http_set_state(r, d);
	(void)!read_request(d, &d->refused);
	return 0;
}

static int take(
	struct decrypting *d, const uint8_t *p, size_t n, size_t *ret_taken, struct err *err)
{
	bool more = false;

	if (d->refused.class) {
		d->taken += n;
		return d->taken > AGENT_REFUSE_AFTER ? agent_answer_refused(&d->refused, err) : 0;
	}
	*ret_taken = 0;
	if (d->waits || !take_room(d))
		return 0;
	if (d->structured) {
		*ret_taken = n;
		d->taken += n;
		return base_buf_add(&d->event, p, n, err);
	}
	TRY(flush(d, &more, err));
	if (!more)
		TRY(agent_pending_may_hold(
			&d->out, d->bytes, &d->app->room, &d->guest, &more, err));
	if (!more)
		return 0;
	*ret_taken = n < AGENT_CHUNK_MAX ? n : AGENT_CHUNK_MAX;
	d->taken += *ret_taken;
	const size_t before = d->out.b.len;
	const int r = agent_opening_add(d->opening, base_str_n(p, *ret_taken), &d->out.b, err);
	if (r < 0)
		return r;
	d->waits = r == AGENT_OPENING_WAIT;
	d->bytes += d->out.b.len - before;
	return d->waits ? 0 : flush(d, &more, err);
}

static int on_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	struct decrypting *d = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	*ret_taken = n;
	if (d->over || take(d, p, n, ret_taken, &why) == 0)
		return 0;
	*ret_taken = n;
	bad(d, &why);
	return 0;
}

static int end(struct decrypting *d, struct err *err)
{
	if (d->refused.class)
		return agent_answer_refused(&d->refused, err);
	return d->structured ? unwrap(d, err) : finish(d, err);
}

static int on_end(void *ctx, struct http_request *r, struct err *err)
{
	struct decrypting *d = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	d->ended = true;
	if (!d->waits && !d->over && end(d, &why) < 0)
		bad(d, &why);
	return 0;
}

static void on_writable(void *ctx, struct http_request *r)
{
	struct decrypting *d = http_state(r);
	struct err why = {0};
	bool clear = false;

	(void)ctx;
	if (d->over || d->waits)
		return;
	if ((d->complete ? finish_stream(d, &why) : flush(d, &clear, &why)) < 0)
		bad(d, &why);
	else if (clear)
		http_resume(r);
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct decrypting *d = http_state(r);

	(void)ctx;
	if (!d)
		return;
	if (!d->over)
		agent_app_gone(d->app, "decrypt", AGENT_OP_DECRYPT, took(d), http_stalled(r));
	agent_room_leave(&d->app->room, &d->guest);
	agent_opening_free(d->opening);
	agent_attributes_done(&d->outer);
	base_buf_done(&d->event);
	base_buf_done(&d->message);
	agent_pending_done(&d->out);
	base_free(d);
}

const struct http_ops agent_decrypt_ops = {.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.gone = on_gone};
