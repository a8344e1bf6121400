#include "agent/outbound_internal.h"

#include "pkg/base/alloc.h"

/* -- where to -- */

struct search {
	char address[AGENT_TARGET_ADDRESS];
	int64_t activated_ns;
};

/* The revision whose key became active last takes the requests: the one that was rolled out. */
static void consider(void *ctx, const struct crds_functionkey *record)
{
	struct search *s = ctx;
	const struct crds_key *key = crds_key_active(record);
	char address[AGENT_TARGET_ADDRESS];

	if (!key || !record->has_leader || record->deleting ||
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
	struct search s = {0};

	if (o->target->address[0]) {
		memcpy(address, o->target->address, AGENT_TARGET_ADDRESS);
		return 0;
	}
	agent_senders_records(o->app->senders, o->ns, o->function, consider, &s);
	if (!s.address[0])
		return REFUSE_AS(err, NOT_READY, "no replica of the function leads");
	memcpy(address, s.address, AGENT_TARGET_ADDRESS);
	return 0;
}

/* -- the call -- */

static int call_peer(struct agent_outbound *o, struct err *err)
{
	char address[AGENT_TARGET_ADDRESS];
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

	TRY(find_address(o, address, err));
	TRY(http_call_new(
		o->app->proxy->client, &request, &agent_outbound_call_ops, o, &o->call, err));
	TRY(http_call_header(o->call, STR("Content-Type"), type, err));
	return http_call_start(o->call, err);
}

/* -- sealing -- */

static int fill_header(struct agent_outbound *o, const struct agent_recipients *to,
	struct envelope_header *h, const struct secret **ret_k, struct err *err)
{
	h->kind = ENVELOPE_REQUEST;
	h->type = STR(AGENT_BHTTP);
	TRY(envelope_header_fresh(o->app->envelope, h, err));
	TRY(agent_senders_window(o->app->senders, to, h, ret_k, err));
	o->sealed_to = agent_recipients_keys(to);
	return 0;
}

/* What its answer will be sealed under, from the head that was made just now. */
static int keep_exchange(struct agent_outbound *o, const struct secret *k, struct err *err)
{
	struct envelope_message m;

	TRY(envelope_parse(base_buf_str(&o->up.b), &m, err));
	return envelope_exchange_of(o->app->envelope, m.protected, k, &o->exchange, err);
}

static int seal_whole(struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	struct envelope_header h = {
		.mode = ENVELOPE_WHOLE, .has_length = true, .length = o->plain.len};
	const struct secret *k = NULL;

	o->up.at = 0;
	base_buf_clear(&o->up.b);
	TRY(fill_header(o, to, &h, &k, err));
	TRY(envelope_body_seal(o->app->envelope, &h, k, base_buf_str(&o->plain), &o->up.b, err));
	TRY(keep_exchange(o, k, err));
	o->up_complete = true;
	return call_peer(o, err);
}

static int begin_stream(
	struct agent_outbound *o, const struct agent_recipients *to, struct err *err)
{
	struct envelope_header h = {.mode = ENVELOPE_STREAM};
	const struct secret *k = NULL;

	TRY(fill_header(o, to, &h, &k, err));
	TRY(envelope_sealer_begin(&o->sealer, o->app->envelope, &h, k, &o->up.b, err));
	TRY(keep_exchange(o, k, err));
	if (bhttp_encode_head(&o->encoder, &o->head, &o->plain, err) < 0)
		return REFUSE_AS(err, MALFORMED, "the request is not one that can be carried");
	TRY(envelope_sealer_add(&o->sealer, base_buf_str(&o->plain), &o->up.b, err));
	return call_peer(o, err);
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
	o->state = AGENT_OUTBOUND_CALLING;
	if (!o->stream)
		return seal_whole(o, to, err);
	TRY(begin_stream(o, to, err));
	return o->ended ? agent_outbound_end(o, err) : 0;
}

static int seal_piece(struct agent_outbound *o, struct err *err)
{
	TRY(envelope_sealer_add(&o->sealer, base_buf_str(&o->plain), &o->up.b, err));
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
	TRY(envelope_sealer_add(&o->sealer, base_buf_str(&o->plain), &o->up.b, err));
	TRY(envelope_sealer_end(&o->sealer, &o->up.b, err));
	o->up_complete = true;
	http_call_resume(o->call);
	return 0;
}
