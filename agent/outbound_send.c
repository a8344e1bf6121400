#include "agent/outbound_internal.h"

#include "pkg/base/alloc.h"

/* -- where to -- */

struct search {
	const struct agent_recipient_keys *sealed_to;
	int64_t before_ns; /* 0: whenever */
	char address[AGENT_TARGET_ADDRESS];
	int64_t activated_ns;
};

/* It may have got a new key since. */
static bool can_open(const struct crds_functionkey *record, const struct agent_recipient_keys *keys)
{
	for (size_t i = 0; i < record->keys_len; i++)
		if (agent_recipient_keys_have(keys, record->keys[i].key.b))
			return true;
	return false;
}

/* The revision whose key became active last takes the requests: the one that was rolled out. Of one
 * that is gone the record stays, with who led it. */
static void consider(void *ctx, const struct crds_functionkey *record)
{
	struct search *s = ctx;
	const struct crds_key *key = crds_key_active(record);
	char address[AGENT_TARGET_ADDRESS];

	if (!key || !record->has_leader || record->deleting || crds_no_holder(record) ||
		!can_open(record, s->sealed_to) ||
		(s->before_ns && key->activated_ns >= s->before_ns) ||
		(s->address[0] && key->activated_ns <= s->activated_ns) ||
		agent_target_of_endpoint(
			record->leader.endpoint, AGENT_INBOUND_PORT, address, NULL) < 0)
		return;
	memcpy(s->address, address, sizeof(s->address));
	s->activated_ns = key->activated_ns;
}

static int find_address(
	struct agent_outbound *o, char address[static AGENT_TARGET_ADDRESS], struct err *err)
{
	struct search s = {.sealed_to = &o->sealed_to, .before_ns = o->tried_ns};

	if (o->target->address[0]) {
		memcpy(address, o->target->address, AGENT_TARGET_ADDRESS);
		return 0;
	}
	agent_senders_records(o->app->senders, o->ns, o->function, consider, &s);
	if (!s.address[0])
		return REFUSE_AS(err, NOT_READY, "no replica of the function leads");
	memcpy(address, s.address, AGENT_TARGET_ADDRESS);
	o->tried_ns = s.activated_ns;
	return 0;
}

/* -- the call -- */

static int call_peer(
	struct agent_outbound *o, const char address[static AGENT_TARGET_ADDRESS], struct err *err)
{
	const struct http_call_request request = {.method = "POST",
		.address = address,
		.host = o->authority,
		.target = AGENT_INBOUND_PATH,
		.has_body = true,
		.has_length = !o->stream,
		.length = o->up.b.len,
		.connect_ns = AGENT_PROXY_CONNECT,
		.idle_ns = AGENT_PROXY_IDLE};
	const struct str type = o->stream ? STR(AGENT_TYPE_STREAM) : STR(AGENT_TYPE_WHOLE);

	TRY(http_call_new(
		o->app->proxy->client, &request, &agent_outbound_call_ops, o, &o->call, err));
	TRY(http_call_header(o->call, STR("Content-Type"), type, err));
	return http_call_start(o->call, err);
}

static int call_first(struct agent_outbound *o, struct err *err)
{
	char address[AGENT_TARGET_ADDRESS];

	o->tried_ns = 0;
	TRY(find_address(o, address, err));
	return call_peer(o, address, err);
}

/* A revision that is rolled out leads, and has the newest key, before its function listens. */
int agent_outbound_elsewhere(struct agent_outbound *o, struct err *err)
{
	char address[AGENT_TARGET_ADDRESS];

	if (o->stream || o->target->address[0] || find_address(o, address, NULL) < 0)
		return 0;
	o->sent = 0;
	o->call = http_call_free(o->call);
	const int r = call_peer(o, address, err);
	return r < 0 ? r : 1;
}

/* -- sealing -- */

static void signed_by_keeper(void *ctx);

/* What was done just now is done, or will be when the keeper has signed. */
static int stepped(struct agent_outbound *o, int r)
{
	if (r >= 0)
		o->next++;
	return r;
}

static int begin(struct agent_outbound *o, const struct agent_recipients *to,
	const struct envelope_header *like, struct err *err)
{
	const enum envelope_sender_level level = (enum envelope_sender_level)o->app->options.sender;

	o->sealed_to = agent_recipients_keys(to);
	o->up.at = 0;
	base_buf_clear(&o->up.b);
	o->sealing = agent_sealing_free(o->sealing);
	TRY(agent_sealing_new(o->app, level, signed_by_keeper, o, &o->sealing, err));
	*agent_sealing_header(o->sealing) = *like;
	return agent_sealing_begin(o->sealing, to, &o->up.b, err);
}

static int begin_whole(struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	const struct envelope_header like = {.mode = ENVELOPE_WHOLE,
		.kind = ENVELOPE_REQUEST,
		.type = STR(AGENT_BHTTP),
		.has_length = true,
		.length = o->plain.len};
	uint8_t *unused = NULL;

	if (o->plain.len > AGENT_ROOM_SMALL)
		TRY(base_buf_room(&o->up.b, ENVELOPE_MESSAGE_MAX - o->up.b.len, &unused, err));
	return begin(o, to, &like, err);
}

/* 0: the peer is asked; or AGENT_SEALING_WAIT. to: where it has not begun. */
static int seal_whole(struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	int r = 0;

	if (o->next == AGENT_OUTBOUND_BEGIN)
		r = stepped(o, begin_whole(o, to, err));
	if (r == 0 && o->next == AGENT_OUTBOUND_BODY)
		r = stepped(
			o, agent_sealing_add(o->sealing, base_buf_str(&o->plain), &o->up.b, err));
	if (r == 0 && o->next == AGENT_OUTBOUND_END)
		r = stepped(o, agent_sealing_end(o->sealing, &o->up.b, err));
	if (r != 0)
		return r;
	o->up_complete = true;
	o->state = AGENT_OUTBOUND_CALLING;
	return call_first(o, err);
}

/* As seal_whole. */
static int begin_stream(
	struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	const struct envelope_header like = {
		.mode = ENVELOPE_STREAM, .kind = ENVELOPE_REQUEST, .type = STR(AGENT_BHTTP)};

	if (o->next == AGENT_OUTBOUND_BEGIN) {
		const int r = stepped(o, begin(o, to, &like, err));
		if (r != 0)
			return r;
	}
	o->next = AGENT_OUTBOUND_END;
	if (bhttp_encode_head(&o->encoder, &o->head, &o->plain, err) < 0)
		return REFUSE_AS(err, MALFORMED, "the request is not one that can be carried");
	TRY(agent_sealing_add(o->sealing, base_buf_str(&o->plain), &o->up.b, err));
	o->state = AGENT_OUTBOUND_CALLING;
	TRY(call_first(o, err));
	return o->ended ? agent_outbound_end(o, err) : 0;
}

static void end_stream(struct agent_outbound *o)
{
	o->up_complete = true;
	http_call_resume(o->call);
}

static int go_on(struct agent_outbound *o, struct err *err)
{
	TRY(agent_sealing_resume(o->sealing, &o->up.b, err));
	if (!o->stream)
		return seal_whole(o, NULL, err);
	if (o->next < AGENT_OUTBOUND_END)
		return begin_stream(o, NULL, err);
	end_stream(o);
	return 0;
}

static void signed_by_keeper(void *ctx)
{
	struct agent_outbound *o = ctx;
	struct err err = {0};

	if (go_on(o, &err) < 0)
		agent_outbound_bad(o, &err);
	http_resume(o->r);
}

/* Whether keys that a recipient refused have been replaced, and by no more than there were. */
static int check_newer(struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	if (agent_recipients_replace(to, &o->sealed_to)) {
		o->state = AGENT_OUTBOUND_FINDING;
		return 0;
	}
	if (base_boot_ns(&o->app->core.env) >= o->refresh_until_ns)
		return REFUSE_AS(err, NOT_READY,
			"the recipient's key was replaced by one that "
			"is not known here yet");
	agent_proxy_refresh(o->app->proxy, &o->refresh);
	return AGENT_SENDERS_WAIT;
}

int agent_outbound_go(struct agent_outbound *o, struct err *err)
{
	const struct agent_recipients *to = NULL;
	int r = agent_senders_find(o->app->senders, o->ns, o->function, &o->waiter, &to, err);

	if (r == 0 && o->state == AGENT_OUTBOUND_REFRESHING)
		r = check_newer(o, to, err);
	if (r != 0)
		return r;
	o->next = AGENT_OUTBOUND_BEGIN;
	return o->stream ? begin_stream(o, to, err) : seal_whole(o, to, err);
}

static int seal_piece(struct agent_outbound *o, struct err *err)
{
	TRY(agent_sealing_add(o->sealing, base_buf_str(&o->plain), &o->up.b, err));
	http_call_resume(o->call);
	return 0;
}

int agent_outbound_add(struct agent_outbound *o, struct str bytes, struct err *err)
{
	base_buf_clear(&o->plain);
	o->bytes += bytes.n;
	TRY(bhttp_encode_content(&o->encoder, bytes, &o->plain, err));
	return seal_piece(o, err);
}

static int take_trailers(struct agent_outbound *o, struct agent_fields *trailers, struct err *err)
{
	struct str name = STR_NULL;
	struct str value = STR_NULL;
	struct err why = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && http_trailer_at(o->r, i, &name, &value); i++)
		r = agent_fields_take(trailers, name, value, &why);
	if (r < 0)
		return REFUSE_AS(err, MALFORMED, "a trailer: %s", why.msg);
	agent_fields_end(trailers);
	return 0;
}

int agent_outbound_end(struct agent_outbound *o, struct err *err)
{
	_cleanup_(agent_fields_done) struct agent_fields trailers = agent_fields();

	TRY(take_trailers(o, &trailers, err));
	base_buf_clear(&o->plain);
	TRY(bhttp_encode_end(&o->encoder, &trailers.v, &o->plain, err));
	TRY(agent_sealing_add(o->sealing, base_buf_str(&o->plain), &o->up.b, err));
	const int r = stepped(o, agent_sealing_end(o->sealing, &o->up.b, err));
	if (r == 0)
		end_stream(o);
	return r;
}
