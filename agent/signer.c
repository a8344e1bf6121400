#include "agent/signer.h"

#include "agent/problem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/protocol/protocol.h"

#define SOURCE_MAX CRDS_CERT_MAX

/* A certificate that was read once: most messages find it again by its bytes. */
struct slot {
	uint8_t source[SOURCE_MAX]; /* as it came: base64 or bytes */
	size_t source_len;
	uint8_t bytes[ENVELOPE_CERT_MAX];
	size_t n;
	bool read;                        /* false: it is none */
	struct envelope_sender_cert cert; /* in bytes */
	uint8_t hash[ENVELOPE_HASH_LEN];
};

struct agent_signer {
	struct agent_core *core;
	struct envelope_context *envelope;
	struct slot recorded, made;
};

int agent_signer_new(struct agent_core *core, struct envelope_context *envelope,
	struct agent_signer **ret_signer, struct err *err)
{
	struct agent_signer *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "signer");
	s->core = core;
	s->envelope = envelope;
	*ret_signer = s;
	return 0;
}

struct agent_signer *agent_signer_free(struct agent_signer *s)
{
	return base_free(s);
}

static int parse(struct agent_signer *s, struct slot *slot, struct str bytes, struct err *err)
{
	if (bytes.n > sizeof(slot->bytes))
		return FAIL(err, ERR_TOO_LARGE, "a certificate of %zu bytes", bytes.n);
	memcpy(slot->bytes, bytes.p, bytes.n);
	slot->n = bytes.n;
	TRY(envelope_sender_cert_parse(base_str_n(slot->bytes, slot->n), &slot->cert, err));
	TRY(envelope_sender_cert_hash(
		s->envelope, base_str_n(slot->bytes, slot->n), slot->hash, err));
	slot->read = true;
	return 0;
}

static void read_slot(struct agent_signer *s, struct slot *slot, struct str source, bool text)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(ENVELOPE_CERT_MAX);

	if (base_str_eq(source, base_str_n(slot->source, slot->source_len)))
		return;
	*slot = (struct slot){0};
	if (source.n == 0 || source.n > sizeof(slot->source))
		return;
	memcpy(slot->source, source.p, source.n);
	slot->source_len = source.n;
	if (text && base_unbase64_add(&b, source, NULL) < 0)
		return;
	(void)!parse(s, slot, text ? base_buf_str(&b) : source, NULL);
}

/* Why it is not one that a receiver would take; NULL: it is. */
static const char *judge(
	const struct agent_signer *s, const struct agent_signer_view *v, const struct slot *slot)
{
	const struct agent_self *self = &s->core->self;
	const struct envelope_sender_cert *c = &slot->cert;
	struct crds_point issuer;

	if (!slot->read)
		return "there is none";
	memcpy(issuer.b, c->issuer.b, sizeof(issuer.b));
	if (!base_str_eq(c->ns, self->ns) || !base_str_eq(c->revision, self->revision) ||
		!base_str_eq(c->pod, self->pod) || !base_str_eq(c->function, v->leader->function))
		return "it names another replica";
	if (memcmp(c->key.b, v->own->identity.b, sizeof(c->key.b)) != 0)
		return "it is for an earlier keeper of this pod";
	if (!base_str_eq(c->cluster, v->leader->uid))
		return "it is of another Leader record";
	if (!protocol_issuer_known(v->leader, &issuer))
		return "the Leader record does not know its issuer any more";
	const int64_t now = base_wall_ns(&s->core->env) / NS_PER_S;
	if (c->exp <= now)
		return "its time is over";
	if (c->nbf - ENVELOPE_SENDER_SKEW_S > now)
		return "its time has not come, by the clock of this node";
	return NULL;
}

int agent_signer_choose(struct agent_signer *s, const struct agent_signer_view *v,
	struct agent_bearer *ret, struct err *err)
{
	const struct slot *best = NULL;
	const char *why = "there is none";

	if (!v->leader || !v->own)
		return REFUSE_AS(err, NOT_READY, "the records of this replica are not known yet");
	read_slot(s, &s->recorded, v->own->has_certificate ? v->own->certificate.text : STR_NULL,
		true);
	read_slot(s, &s->made, v->made, false);
	const struct slot *const slots[] = {&s->recorded, &s->made};
	for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
		const char *wrong = judge(s, v, slots[i]);
		if (!wrong && (!best || slots[i]->cert.exp > best->cert.exp))
			best = slots[i];
		else if (wrong && slots[i]->read)
			why = wrong;
	}
	if (!best)
		return REFUSE_AS(err, NOT_READY,
			"this replica has no sender certificate of its leader: %s", why);
	*ret = (struct agent_bearer){.cert = base_str_n(best->bytes, best->n),
		.hash = best->hash,
		.epoch = best->cert.epoch,
		.term = best->cert.term,
		.exp = best->cert.exp};
	return 0;
}
