#include "agent/encrypt.h"

#include "agent/answer.h"
#include "agent/event_http.h"
#include "pkg/base/alloc.h"

#include <stdio.h>

#define TO_MAX    256
#define TAKE_MAX  ENVELOPE_SEGMENT /* of a body at once */
#define TYPE_NONE STR("application/octet-stream")

enum state {
	FINDING, /* recipients are not known yet: no body is taken */
	HOLDING, /* the body is held, and sealed at its end */
	SEALING, /* the answer has begun */
	ENDING,  /* all is sealed, not all is sent */
	OVER     /* answered, refused, or cut */
};

struct sealing {
	struct agent_app *app;
	struct http_request *r;
	enum state state;
	bool ended; /* the body was complete while recipients were sought */
	struct agent_senders_waiter waiter;
	struct agent_guest guest; /* of the room for large bodies that are held */
	struct err refused;       /* why; told when the body, or enough of it, came */
	uint64_t dropped;         /* bytes of it meanwhile */
	char to[TO_MAX];
	struct str ns, function, type;
	struct agent_attributes attributes;
	bool event;      /* a CloudEvent in binary mode */
	bool structured; /* one in structured mode: its attributes are known at its end */
	bool has_length;
	uint64_t length;
	struct buf plain; /* HOLDING */
	struct envelope_sealer sealer;
	struct buf out; /* SEALING: what the client did not take yet, from out_at on */
	size_t out_at;
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
	const bool begun = s->state == SEALING || s->state == ENDING;
	const struct agent_message_end end = {.op = AGENT_OP_ENCRYPT,
		.problem = agent_problem_of(err),
		.aborted = begun,
		.took_ns = took(s)};

	s->state = OVER;
	agent_room_leave(&s->app->room, &s->guest);
	agent_app_failed(s->app, "encrypt", &end, err);
	if (begun)
		http_abort(s->r);
	else
		agent_answer_problem(s->r, err);
}

/* -- the request -- */

int agent_to_parse(struct str to, struct str home, struct str *ret_ns, struct str *ret_function,
	struct err *err)
{
	const size_t slash = base_str_find(to, '/', 0);

	if (to.n == 0)
		return REFUSE_AS(err, MALFORMED, "to= needs [namespace/]function");
	*ret_ns = slash < to.n ? base_str_sub(to, 0, slash) : home;
	*ret_function = slash < to.n ? base_str_sub(to, slash + 1, to.n) : to;
	return 0;
}

static int read_to(struct sealing *s, struct err *err)
{
	struct str to = STR_NULL;
	struct err why = {0};

	if (http_query(s->r, "to", s->to, sizeof(s->to), &to, &why) < 0)
		return REFUSE_AS(err, MALFORMED, "the parameter to: %s", why.msg);
	return agent_to_parse(to, s->app->core.self.ns, &s->ns, &s->function, err);
}

static int read_type(struct sealing *s, struct err *err)
{
	const size_t n = http_header(s->r, "Content-Type", &s->type);

	if (n == 0)
		s->type = TYPE_NONE;
	if (n > 1 || s->type.n == 0 || s->type.n > ENVELOPE_TYPE_MAX)
		return REFUSE_AS(err, MALFORMED, "Content-Type");
	return 0;
}

/* Apart, since few requests have one and the room for it is cleared each time. */
static __attribute__((noinline)) int read_parameter(
	struct sealing *s, enum envelope_attribute which, const char *name, struct err *err)
{
	char value[ENVELOPE_ATTRIBUTE_MAX + 1];
	struct str text = STR_NULL;

	if (http_query(s->r, name, value, sizeof(value), &text, NULL) < 0)
		return REFUSE_AS(err, MALFORMED, "the parameter %s", name);
	return agent_attributes_set(&s->attributes, which, text, err);
}

static int read_attributes(struct sealing *s, struct err *err)
{
	static const char *const names[ENVELOPE_ATTRIBUTE_COUNT] = {
#define PARAMETER(name, text) [ENVELOPE_CE_##name] = "ce-" text,
		ENVELOPE_ATTRIBUTES(PARAMETER)
#undef PARAMETER
	};
	struct str text = STR_NULL;
	char none[1];

	TRY(agent_event_take(s->r, &s->attributes, err));
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const int r = http_query(s->r, names[i], none, sizeof(none), &text, NULL);
		if (r != -(int)ERR_NOT_FOUND)
			TRY(read_parameter(s, (enum envelope_attribute)i, names[i], err));
	}
	return 0;
}

/* Attributes without a specversion are no event; they travel all the same. */
static int read_mode(struct sealing *s, struct err *err)
{
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	agent_attributes_list(&s->attributes, list);
	s->structured = agent_event_is_json(s->type);
	s->event = !s->structured && list[ENVELOPE_CE_SPECVERSION].p;
	if (!s->structured)
		return s->event ? agent_event_check(list, err) : 0;
	if (s->attributes.store.len > 0)
		return REFUSE_AS(
			err, MALFORMED, "a structured event has its attributes in the body alone");
	if (!s->has_length)
		s->length = ENVELOPE_WHOLE_MAX; /* as much room as it may need */
	if (s->length > ENVELOPE_WHOLE_MAX)
		return REFUSE_AS(err, TOO_LARGE, "structured events have at most 1 MiB");
	return 0;
}

/* -- sealing -- */

static int fill_header(
	struct sealing *s, struct envelope_header *h, const struct secret **ret_k, struct err *err)
{
	const struct agent_recipients *to = NULL;
	const int found =
		agent_senders_find(s->app->senders, s->ns, s->function, &s->waiter, &to, err);

	if (found < 0)
		return found;
	if (found == AGENT_SENDERS_WAIT) {
		agent_senders_cancel(s->app->senders, &s->waiter);
		return REFUSE_AS(err, NOT_READY, "the recipient's keys are not known any more");
	}
	h->kind = ENVELOPE_EVENT;
	h->type = s->type;
	h->has_length = s->has_length;
	h->length = s->length;
	agent_attributes_give(&s->attributes, h);
	TRY(envelope_header_fresh(s->app->envelope, h, err));
	TRY(agent_senders_window(s->app->senders, to, h, ret_k, err));
	if (s->event)
		TRY(agent_event_add_outside(s->r, h->attributes, err));
	TRY(agent_answer_hex(s->r, "Functionkey-Id", h->id, sizeof(h->id), err));
	return agent_answer_number(s->r, "Functionkey-Epoch", to->epoch, err);
}

static int seal_held(struct sealing *s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(ENVELOPE_MESSAGE_MAX);
	struct envelope_header h = {.mode = ENVELOPE_WHOLE};
	const struct secret *k = NULL;

	if (s->structured)
		TRY(agent_event_read(base_buf_str(&s->plain), &s->attributes, NULL, err));
	s->length = s->plain.len;
	s->has_length = true;
	TRY(fill_header(s, &h, &k, err));
	TRY(envelope_body_seal(s->app->envelope, &h, k, base_buf_str(&s->plain), &out, err));
	s->bytes = s->plain.len;
	if (s->structured)
		return agent_event_reply_outside(s->r, h.attributes, base_buf_str(&out), err);
	http_reply_take(s->r, 200, AGENT_TYPE_WHOLE, &out);
	return 0;
}

static int begin_sealing(struct sealing *s, struct err *err)
{
	struct envelope_header h = {.mode = ENVELOPE_STREAM};
	const struct secret *k = NULL;

	if (s->structured || (s->has_length && s->length <= ENVELOPE_WHOLE_MAX)) {
		s->state = HOLDING;
		return 0;
	}
	TRY(fill_header(s, &h, &k, err));
	TRY(envelope_sealer_begin(&s->sealer, s->app->envelope, &h, k, &s->out, err));
	TRY(http_stream_begin(s->r, 200, AGENT_TYPE_STREAM, err));
	s->state = SEALING;
	return 0;
}

/* Sends what waits; *ret_clear tells whether nothing does any more. */
static int flush(struct sealing *s, bool *ret_clear, struct err *err)
{
	while (s->out_at < s->out.len) {
		size_t taken = 0;
		TRY(http_stream_write(
			s->r, s->out.data + s->out_at, s->out.len - s->out_at, &taken, err));
		s->out_at += taken;
		if (taken == 0)
			break;
	}
	*ret_clear = s->out_at == s->out.len;
	if (*ret_clear) {
		s->out_at = 0;
		base_buf_clear(&s->out);
	}
	return 0;
}

static int finish(struct sealing *s, struct err *err)
{
	bool clear = false;

	if (s->state == HOLDING) {
		TRY(seal_held(s, err));
		good(s);
		return 0;
	}
	if (s->state == SEALING) {
		TRY(envelope_sealer_end(&s->sealer, &s->out, err));
		s->state = ENDING;
	}
	TRY(flush(s, &clear, err));
	if (clear) {
		http_stream_end(s->r);
		good(s);
	}
	return 0;
}

/* -- finding recipients -- */

static int find(struct sealing *s, struct err *err)
{
	const struct agent_recipients *to = NULL;
	const int r = agent_senders_find(s->app->senders, s->ns, s->function, &s->waiter, &to, err);

	if (r != 0)
		return r;
	return begin_sealing(s, err);
}

static void again(void *ctx)
{
	struct sealing *s = ctx;
	struct err err = {0};
	int r = find(s, &err);

	if (r == AGENT_SENDERS_WAIT)
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
	const size_t n = (s->structured ? 4u : 2u) * ENVELOPE_WHOLE_MAX;

	if (s->state != HOLDING || s->length <= AGENT_ROOM_SMALL)
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
	TRY(read_to(s, err));
	TRY(read_type(s, err));
	TRY(read_attributes(s, err));
	s->has_length = http_length(s->r, &s->length);
	TRY(read_mode(s, err));
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
	s->attributes = agent_attributes();
	s->plain = base_buf(ENVELOPE_WHOLE_MAX);
	s->out = base_buf(ENVELOPE_HEAD_MAX + ENVELOPE_OUT_ROOM(TAKE_MAX));
	s->started_ns = base_boot_ns(&s->app->core.env);
	http_set_state(r, s);
	(void)!read_request(s, &s->refused);
	return 0;
}

static int take(struct sealing *s, const uint8_t *p, size_t n, size_t *ret_taken, struct err *err)
{
	bool clear = false;

	if (s->refused.class) {
		s->dropped += n;
		return s->dropped > AGENT_REFUSE_AFTER ? agent_answer_refused(&s->refused, err) : 0;
	}
	*ret_taken = 0;
	if (s->state == FINDING || !take_room(s))
		return 0;
	if (s->state == HOLDING) {
		*ret_taken = n;
		return base_buf_add(&s->plain, p, n, err);
	}
	TRY(flush(s, &clear, err));
	if (!clear)
		return 0;
	*ret_taken = n < TAKE_MAX ? n : TAKE_MAX;
	s->bytes += *ret_taken;
	TRY(envelope_sealer_add(&s->sealer, base_str_n(p, *ret_taken), &s->out, err));
	return flush(s, &clear, err);
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
	if (s->state == OVER || (s->state == FINDING && !s->refused.class))
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
		agent_metrics_message(s->app->metrics,
			&(struct agent_message_end){
				.op = AGENT_OP_ENCRYPT, .aborted = true, .took_ns = took(s)});
	agent_attributes_done(&s->attributes);
	envelope_sealer_done(&s->sealer);
	base_buf_wipe(&s->plain);
	base_buf_done(&s->out);
	base_free(s);
}

const struct http_ops agent_encrypt_ops = {.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.gone = on_gone};
