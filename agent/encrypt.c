#include "agent/encrypt_internal.h"

#include "agent/answer.h"
#include "agent/event_http.h"
#include "agent/pending.h"
#include "agent/sealing.h"
#include "pkg/base/alloc.h"

#define TAKE_MAX  ENVELOPE_SEGMENT /* of a body at once */
#define TAKE_ROOM (ENVELOPE_OUT_ROOM(TAKE_MAX) + ENVELOPE_SENDER_EXTRA_MAX)
/* A whole message; or what is taken ahead of a stream, and a piece and the end behind it. */
#define OUT_MAX     (ENVELOPE_MESSAGE_MAX + 2 * TAKE_ROOM)
#define USUAL_EXTRA 1024 /* of a whole message beside its plaintext: head, tag, sender */

enum state {
	FINDING, /* recipients are not known yet: no body is taken */
	HOLDING, /* the body is held, and sealed at its end */
	SIGNING, /* the keeper signs: no body is taken */
	SEALING, /* the answer has begun */
	ENDING,  /* all is sealed, not all is sent */
	OVER     /* answered, refused, or cut */
};

/* Each may have to wait for the keeper. */
enum step { BEGIN, BODY, END, REPLY };

struct sealing {
	struct agent_app *app;
	struct http_request *r;
	enum state state;
	bool ended; /* the body was complete while recipients were sought */
	struct agent_senders_waiter waiter;
	struct agent_guest guest; /* of the room for what is held */
	struct err refused;       /* why; told when the body, or enough of it, came */
	uint64_t dropped;         /* bytes of it meanwhile */
	struct agent_encrypt_asked q;
	struct buf plain; /* HOLDING */
	struct agent_sealing *sealing;
	enum step next;           /* of sealing, what is not done yet */
	uint64_t epoch;           /* of the recipients, the highest */
	struct agent_pending out; /* what was sealed */
	bool begun;               /* the answer has */
	uint64_t bytes;
	int64_t started_ns;
};

/* -- ends -- */

static int64_t took(const struct sealing *s)
{
	return base_boot_ns(&s->app->core.env) - s->started_ns;
}

static void good(struct sealing *s)
{
	s->state = OVER;
	agent_room_leave(&s->app->room, &s->guest);
	agent_metrics_message(s->app->metrics,
		&(struct agent_message_end){
			.op = AGENT_OP_ENCRYPT, .took_ns = took(s), .bytes = s->bytes});
}

static void bad(struct sealing *s, const struct err *err)
{
	const struct agent_message_end end = {.op = AGENT_OP_ENCRYPT,
		.problem = agent_problem_of(err),
		.aborted = s->begun,
		.took_ns = took(s)};

	s->state = OVER;
	agent_room_leave(&s->app->room, &s->guest);
	agent_app_failed(s->app, "encrypt", &end, err);
	if (s->begun)
		http_abort(s->r);
	else
		agent_answer_problem(s->r, err);
}

/* -- sealing -- */

static void ready(void *ctx);

/* 0 or AGENT_SEALING_WAIT. */
static int begin(struct sealing *s, enum envelope_mode mode, struct err *err)
{
	const struct agent_recipients *to = NULL;
	struct envelope_header *h = agent_sealing_header(s->sealing);
	const int found =
		agent_senders_find(s->app->senders, s->q.ns, s->q.function, &s->waiter, &to, err);

	if (found < 0)
		return found;
	if (found == AGENT_SENDERS_WAIT) {
		agent_senders_cancel(s->app->senders, &s->waiter);
		return REFUSE_AS(err, NOT_READY, "the recipient's keys are not known any more");
	}
	h->mode = mode;
	h->kind = ENVELOPE_EVENT;
	h->type = s->q.type;
	h->has_length = s->q.has_length;
	h->length = s->q.length;
	agent_attributes_give(&s->q.attributes, h);
	s->epoch = to->epoch;
	return agent_sealing_begin(s->sealing, to, &s->out.b, err);
}

/* What was done just now is done, or will be when the keeper has signed. */
static int stepped(struct sealing *s, int r)
{
	if (r == AGENT_SEALING_WAIT)
		s->state = SIGNING;
	if (r >= 0)
		s->next++;
	return r;
}

static int add_headers(struct sealing *s, struct err *err)
{
	TRY(agent_answer_hex(
		s->r, "Functionkey-Id", agent_sealing_id(s->sealing), ENVELOPE_ID_LEN, err));
	return agent_answer_number(s->r, "Functionkey-Epoch", s->epoch, err);
}

static int reply_held(struct sealing *s, struct err *err)
{
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	agent_attributes_list(&s->q.attributes, list);
	if (s->q.event)
		TRY(agent_event_add_outside(s->r, list, err));
	TRY(add_headers(s, err));
	s->bytes = s->plain.len;
	if (s->q.structured)
		return agent_event_reply_outside(s->r, list, base_buf_str(&s->out.b), err);
	http_reply_take(s->r, 200, AGENT_TYPE_WHOLE, &s->out.b);
	return 0;
}

/* 0: answered. */
static int seal_held(struct sealing *s, struct err *err)
{
	uint8_t *unused = NULL;
	int r = 0;

	if (s->next == BEGIN) {
		if (s->q.structured)
			TRY(agent_event_read(base_buf_str(&s->plain), &s->q.attributes, NULL, err));
		s->q.length = s->plain.len;
		s->q.has_length = true;
		/* At once, instead of growing as the message does. */
		TRY(base_buf_room(&s->out.b,
			s->q.length > AGENT_ROOM_SMALL ? ENVELOPE_MESSAGE_MAX
						       : s->q.length + USUAL_EXTRA,
			&unused, err));
		r = stepped(s, begin(s, ENVELOPE_WHOLE, err));
	}
	if (r == 0 && s->next == BODY)
		r = stepped(
			s, agent_sealing_add(s->sealing, base_buf_str(&s->plain), &s->out.b, err));
	if (r == 0 && s->next == END)
		r = stepped(s, agent_sealing_end(s->sealing, &s->out.b, err));
	return r == 0 ? reply_held(s, err) : r;
}

static bool is_held(const struct sealing *s)
{
	return s->q.structured || (s->q.has_length && s->q.length <= ENVELOPE_WHOLE_MAX);
}

static int begin_stream(struct sealing *s, struct err *err)
{
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	agent_attributes_list(&s->q.attributes, list);
	if (s->q.event)
		TRY(agent_event_add_outside(s->r, list, err));
	TRY(add_headers(s, err));
	TRY(http_stream_begin(s->r, 200, AGENT_TYPE_STREAM, err));
	s->begun = true;
	s->state = SEALING;
	return 0;
}

static int begin_sealing(struct sealing *s, struct err *err)
{
	TRY(agent_sealing_new(s->app, s->q.level, ready, s, &s->sealing, err));
	if (is_held(s)) {
		s->state = HOLDING;
		return 0;
	}
	const int r = stepped(s, begin(s, ENVELOPE_STREAM, err));
	return r == 0 ? begin_stream(s, err) : r;
}

/* Sends what waits; *ret_clear tells whether nothing does any more. */
static int flush(struct sealing *s, bool *ret_clear, struct err *err)
{
	return agent_pending_flush_held(&s->out, s->r, &s->app->room, &s->guest, ret_clear, err);
}

/* 0, or AGENT_SEALING_WAIT. */
static int finish(struct sealing *s, struct err *err)
{
	bool clear = false;

	if (is_held(s)) {
		const int r = seal_held(s, err);
		if (r == 0)
			good(s);
		return r;
	}
	if (s->next < REPLY) {
		s->next = END;
		const int r = stepped(s, agent_sealing_end(s->sealing, &s->out.b, err));
		if (r != 0)
			return r;
	}
	s->state = ENDING;
	TRY(flush(s, &clear, err));
	if (clear) {
		http_stream_end(s->r);
		good(s);
	}
	return 0;
}

/* The keeper has signed. */
static int go_on(struct sealing *s, struct err *err)
{
	bool clear = false;

	TRY(agent_sealing_resume(s->sealing, &s->out.b, err));
	if (is_held(s))
		return finish(s, err);
	if (!s->begun)
		TRY(begin_stream(s, err));
	s->state = SEALING;
	return s->ended ? finish(s, err) : flush(s, &clear, err);
}

static void ready(void *ctx)
{
	struct sealing *s = ctx;
	struct err err = {0};

	if (go_on(s, &err) < 0)
		bad(s, &err);
	http_resume(s->r);
}

/* -- finding recipients -- */

static int find(struct sealing *s, struct err *err)
{
	const struct agent_recipients *to = NULL;
	const int r =
		agent_senders_find(s->app->senders, s->q.ns, s->q.function, &s->waiter, &to, err);

	if (r != 0)
		return r;
	return begin_sealing(s, err);
}

static void again(void *ctx)
{
	struct sealing *s = ctx;
	struct err err = {0};
	int r = find(s, &err);

	/* For keys, or for the keeper, which goes on by itself. */
	if (r > 0)
		return;
	if (r == 0 && s->ended)
		r = finish(s, &err);
	if (r < 0)
		bad(s, &err);
	http_resume(s->r);
}

/* -- http_ops -- */

/* False: there is no room now; the request will be resumed. */
static bool take_room(struct sealing *s)
{
	const size_t n = (s->q.structured ? 4u : 2u) * ENVELOPE_WHOLE_MAX;

	if (s->state != HOLDING || s->q.length <= AGENT_ROOM_SMALL)
		return true;
	return agent_room_take(&s->app->room, &s->guest, n);
}

static void room_again(void *ctx)
{
	http_resume(((struct sealing *)ctx)->r);
}

static int read_request(struct sealing *s, struct err *err)
{
	TRY(agent_answer_allowed(s->r, err));
	TRY(agent_encrypt_read(s->app, s->r, &s->q, err));
	return find(s, err);
}

static int on_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct sealing *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "request");
	s->app = ctx;
	s->r = r;
	s->waiter = (struct agent_senders_waiter){.again = again, .ctx = s};
	s->guest = (struct agent_guest){.again = room_again, .ctx = s};
	s->q.attributes = agent_attributes();
	s->plain = base_buf(ENVELOPE_WHOLE_MAX);
	s->out.b = base_buf(OUT_MAX);
	s->started_ns = base_boot_ns(&s->app->core.env);
	http_set_state(r, s);
	(void)!read_request(s, &s->refused);
	return 0;
}

static int take(struct sealing *s, const uint8_t *p, size_t n, size_t *ret_taken, struct err *err)
{
	bool more = false;

	if (s->refused.class) {
		s->dropped += n;
		return s->dropped > AGENT_REFUSE_AFTER ? agent_answer_refused(&s->refused, err) : 0;
	}
	*ret_taken = 0;
	if (s->state == FINDING || s->state == SIGNING || !take_room(s))
		return 0;
	if (s->state == HOLDING) {
		*ret_taken = n;
		return base_buf_add(&s->plain, p, n, err);
	}
	TRY(flush(s, &more, err));
	if (!more)
		TRY(agent_pending_may_hold(
			&s->out, s->bytes, &s->app->room, &s->guest, &more, err));
	if (!more)
		return 0;
	*ret_taken = n < TAKE_MAX ? n : TAKE_MAX;
	s->bytes += *ret_taken;
	TRY(agent_sealing_add(s->sealing, base_str_n(p, *ret_taken), &s->out.b, err));
	return flush(s, &more, err);
}

static int on_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	struct sealing *s = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	*ret_taken = n;
	if (s->state == OVER || take(s, p, n, ret_taken, &why) == 0)
		return 0;
	*ret_taken = n;
	bad(s, &why);
	return 0;
}

static int on_end(void *ctx, struct http_request *r, struct err *err)
{
	struct sealing *s = http_state(r);
	struct err why = {0};

	(void)ctx;
	(void)err;
	s->ended = true;
	const bool waits = s->state == FINDING || s->state == SIGNING;
	if (s->state == OVER || (waits && !s->refused.class))
		return 0;
	if ((s->refused.class ? agent_answer_refused(&s->refused, &why) : finish(s, &why)) < 0)
		bad(s, &why);
	return 0;
}

static void on_writable(void *ctx, struct http_request *r)
{
	struct sealing *s = http_state(r);
	struct err why = {0};
	bool clear = false;

	(void)ctx;
	if (s->state == OVER)
		return;
	if ((s->state == ENDING ? finish(s, &why) : flush(s, &clear, &why)) < 0)
		bad(s, &why);
	else if (clear)
		http_resume(r);
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct sealing *s = http_state(r);

	(void)ctx;
	if (!s)
		return;
	agent_senders_cancel(s->app->senders, &s->waiter);
	agent_room_leave(&s->app->room, &s->guest);
	if (s->state != OVER)
		agent_app_gone(s->app, "encrypt", AGENT_OP_ENCRYPT, took(s), http_stalled(r));
	agent_attributes_done(&s->q.attributes);
	agent_sealing_free(s->sealing);
	base_buf_wipe(&s->plain);
	agent_pending_done(&s->out);
	base_free(s);
}

const struct http_ops agent_encrypt_ops = {.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.gone = on_gone};
