#include "agent/sealing.h"

#include "agent/keeperlink.h"
#include "pkg/base/alloc.h"

enum state {
	FRESH,
	SIGNING_WINDOW, /* the keeper signs for the window: it begins then */
	SEALING,
	SIGNING_MESSAGE, /* the keeper signs it: it ends then */
	DONE
};

struct agent_sealing {
	struct agent_app *app;
	void (*ready)(void *ctx);
	void *ctx;
	enum state state;
	bool in_keeper; /* its answer will come, and needs this memory */
	bool orphan;    /* freed by its owner meanwhile */
	enum envelope_sender_level level;
	struct envelope_header h;
	char *names; /* of h's recipients, while the keeper signs for the window */
	struct secret k;
	struct envelope_signing signing;
	struct pre_signature signature;
	bool has_signature;
	uint8_t cert[ENVELOPE_CERT_MAX];
	size_t cert_len;
	uint8_t hash[ENVELOPE_HASH_LEN]; /* of cert */
	struct envelope_signed_sealer sealer;
	struct envelope_exchange exchange;
	struct err why; /* of a failed wait; class 0: it went well */
};

int agent_sealing_new(struct agent_app *app, enum envelope_sender_level level,
	void (*ready)(void *ctx), void *ctx, struct agent_sealing **ret_sealing, struct err *err)
{
	struct agent_sealing *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "sealing");
	s->app = app;
	s->ready = ready;
	s->ctx = ctx;
	s->level = level;
	*ret_sealing = s;
	return 0;
}

static struct agent_sealing *wipe_and_free(struct agent_sealing *s)
{
	base_free(s->names);
	envelope_signed_sealer_done(&s->sealer);
	envelope_exchange_wipe(&s->exchange);
	base_secret_wipe(&s->k);
	return base_free(s);
}

struct agent_sealing *agent_sealing_free(struct agent_sealing *s)
{
	if (!s)
		return NULL;
	if (!s->in_keeper)
		return wipe_and_free(s);
	base_secret_wipe(&s->k);
	s->orphan = true;
	return NULL;
}

/* -- the keeper -- */

static void signed_by_keeper(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_sealing *s = ctx;

	s->in_keeper = false;
	if (s->orphan) {
		(void)wipe_and_free(s);
		return;
	}
	s->why = (struct err){0};
	if (err) {
		(void)REFUSE_AS(&s->why, NOT_READY, "the keeper does not sign now: %s", err->msg);
	} else {
		memcpy(s->signature.b, reply->sign.signature.b, sizeof(s->signature.b));
		s->has_signature = true;
	}
	s->ready(s->ctx);
}

static int ask_keeper(struct agent_sealing *s, enum state state, struct err *err)
{
	struct kmsg_request request = {.op = KMSG_SIGN};
	struct kmsg_sign_request *sign = &request.sign;

	sign->message = s->signing.level == ENVELOPE_SENDER_MESSAGE;
	memcpy(sign->bound, s->signing.bound, sizeof(sign->bound));
	memcpy(sign->certificate, s->signing.cert, sizeof(sign->certificate));
	memcpy(sign->payload, s->signing.payload, sizeof(sign->payload));
	s->has_signature = false;
	if (agent_keeper_request(s->app->core.keeper, &request, signed_by_keeper, s, NULL) < 0)
		return REFUSE_AS(err, NOT_READY, "the keeper is busy");
	s->in_keeper = true;
	s->state = state;
	return AGENT_SEALING_WAIT;
}

/* -- the beginning -- */

int agent_sealing_bearer(const struct agent_app *app, struct agent_bearer *ret, struct err *err)
{
	if (!app->replica)
		return REFUSE_AS(err, NOT_READY, "%s", app->starting);
	const struct agent_signer_view v = {.leader = agent_replica_record(app->replica),
		.own = agent_replica_own(app->replica),
		.made = agent_replica_certificate(app->replica)};
	return agent_signer_choose(app->signer, &v, ret, err);
}

static int choose_certificate(struct agent_sealing *s, struct err *err)
{
	struct agent_bearer bearer;

	if (s->h.sender == ENVELOPE_SENDER_NONE)
		return 0;
	TRY(agent_sealing_bearer(s->app, &bearer, err));
	memcpy(s->cert, bearer.cert.p, bearer.cert.n);
	s->cert_len = bearer.cert.n;
	memcpy(s->hash, bearer.hash, sizeof(s->hash));
	return 0;
}

/* What a window lends lasts as long as nobody else uses windows. */
static int keep_names(struct agent_sealing *s, struct err *err)
{
	char *at = base_alloc(s->h.recipient_count, ENVELOPE_NAME_MAX);

	if (!at)
		return FAIL(err, ERR_NOMEM, "names");
	s->names = at;
	for (size_t i = 0; i < s->h.recipient_count; i++, at += ENVELOPE_NAME_MAX) {
		struct str *name = &s->h.recipients[i].name;
		memcpy(at, name->p, name->n);
		name->p = at;
	}
	return 0;
}

static bool has_origin(const struct envelope_header *h)
{
	return h->sender == ENVELOPE_SENDER_ORIGIN ||
	       (h->sender == ENVELOPE_SENDER_MESSAGE && h->mode == ENVELOPE_STREAM);
}

/* Apart, since few messages are requests and the room for a header is cleared each time. */
static __attribute__((noinline)) int keep_exchange(
	struct agent_sealing *s, const struct secret *k, struct str head, struct err *err)
{
	struct envelope_message m;

	TRY(envelope_parse(head, &m, err));
	return envelope_exchange_of(s->app->envelope, m.protected, k, &s->exchange, err);
}

static int begin_body(
	struct agent_sealing *s, const struct secret *k, struct buf *out, struct err *err)
{
	const size_t at = out->len;
	const struct envelope_credentials with = {.cert = base_str_n(s->cert, s->cert_len),
		.origin = has_origin(&s->h) ? &s->signature : NULL};

	TRY(envelope_signed_sealer_begin(
		&s->sealer, s->app->envelope, &s->h, k, s->h.sender ? &with : NULL, out, err));
	s->state = SEALING;
	if (s->h.kind != ENVELOPE_REQUEST)
		return 0;
	return keep_exchange(s, k, base_str_n(out->data + at, out->len - at), err);
}

static int begin_now(struct agent_sealing *s, struct buf *out, struct err *err)
{
	const int r = begin_body(s, &s->k, out, err);

	base_secret_wipe(&s->k);
	s->names = base_free(s->names);
	return r;
}

struct envelope_header *agent_sealing_header(struct agent_sealing *s)
{
	return &s->h;
}

int agent_sealing_begin(struct agent_sealing *s, const struct agent_recipients *to, struct buf *out,
	struct err *err)
{
	const struct secret *k = NULL;

	s->h.sender = s->level;
	TRY(choose_certificate(s, err));
	s->h.length += s->h.has_length ? envelope_sender_overhead(&s->h, s->cert_len) : 0;
	TRY(envelope_header_fresh(s->app->envelope, &s->h, err));
	TRY(agent_senders_window(s->app->senders, to, &s->h, &k, err));
	if (!has_origin(&s->h))
		return begin_body(s, k, out, err);
	const struct pre_signature *origin = agent_senders_origin(s->app->senders, s->hash);
	if (origin) {
		s->signature = *origin;
		return begin_body(s, k, out, err);
	}
	TRY(agent_senders_origin_signing(
		s->app->senders, s->app->envelope, s->hash, &s->signing, err));
	s->k = *k;
	TRY(keep_names(s, err));
	return ask_keeper(s, SIGNING_WINDOW, err);
}

/* -- the rest -- */

int agent_sealing_add(struct agent_sealing *s, struct str bytes, struct buf *out, struct err *err)
{
	return envelope_signed_sealer_add(&s->sealer, bytes, out, err);
}

int agent_sealing_end(struct agent_sealing *s, struct buf *out, struct err *err)
{
	if (s->h.sender == ENVELOPE_SENDER_MESSAGE) {
		TRY(envelope_signed_sealer_signing(&s->sealer, &s->signing, err));
		return ask_keeper(s, SIGNING_MESSAGE, err);
	}
	s->state = DONE;
	return envelope_signed_sealer_end(&s->sealer, NULL, out, err);
}

int agent_sealing_resume(struct agent_sealing *s, struct buf *out, struct err *err)
{
	const enum state state = s->state;

	if (s->why.class) {
		if (err)
			*err = s->why;
		return -(int)s->why.class;
	}
	if (!s->has_signature || (state != SIGNING_WINDOW && state != SIGNING_MESSAGE))
		return FAIL(err, ERR_BUG, "a sealing that does not wait");
	if (state == SIGNING_WINDOW) {
		agent_senders_set_origin(s->app->senders, &s->signing, &s->signature);
		return begin_now(s, out, err);
	}
	s->state = DONE;
	return envelope_signed_sealer_end(&s->sealer, &s->signature, out, err);
}

const uint8_t *agent_sealing_id(const struct agent_sealing *s)
{
	return s->h.id;
}

const struct envelope_exchange *agent_sealing_exchange(const struct agent_sealing *s)
{
	return &s->exchange;
}
