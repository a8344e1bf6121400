#include "agent/senders_internal.h"

#include "agent/report.h"
#include "pkg/protocol/protocol.h"

#define GAVE_UP_NS (10 * NS_PER_S) /* nobody waits again so soon for what did not come */

static const struct crds_functionkey *find(
	const struct agent_sender_watch *w, const struct envelope_sender_cert *cert)
{
	const struct crds_functionkey *const *records = NULL;
	const size_t n = agent_sender_watch_records(w, cert->function, &records);

	for (size_t i = 0; i < n; i++)
		if (base_str_eq(records[i]->revision, cert->revision) &&
			base_str_eq(records[i]->ns, cert->ns))
			return records[i];
	return NULL;
}

static bool is_revoked(
	const struct crds_functionkey *record, const uint8_t uid[static ENVELOPE_CERT_UID_LEN])
{
	char text[CRDS_UID_LEN + 1];

	agent_uid_text(uid, text);
	return crds_revoked(record, base_str(text));
}

enum agent_vouched agent_vouch_judge(
	const struct crds_functionkey *record, const struct envelope_sender_cert *cert)
{
	struct crds_point issuer;

	/* A record of the same name that was made anew, or of another cluster. */
	if (!record || !base_str_eq(record->uid, cert->cluster))
		return AGENT_VOUCH_UNKNOWN;
	if (is_revoked(record, cert->uid))
		return AGENT_VOUCH_REVOKED;
	memcpy(issuer.b, cert->issuer.b, sizeof(issuer.b));
	return protocol_issuer_known(record, &issuer) ? AGENT_VOUCHED : AGENT_VOUCH_ISSUER;
}

static int not_synced(struct agent_senders *s, struct agent_sender_watch *w,
	struct agent_senders_waiter *waiter, enum agent_vouched *ret_vouched)
{
	const int64_t now = base_boot_ns(&s->core->env);

	*ret_vouched = AGENT_VOUCH_NO_ANSWER;
	if (w->trouble.class == ERR_DENIED) {
		*ret_vouched = AGENT_VOUCH_UNREADABLE;
		return 0;
	}
	if (waiter->until_ns == 0 && w->gave_up_ns && now - w->gave_up_ns < GAVE_UP_NS)
		return 0;
	if (waiter->until_ns == 0)
		waiter->until_ns = now + AGENT_SENDERS_VOUCH_NS;
	if (now >= waiter->until_ns) {
		w->gave_up_ns = now;
		return 0;
	}
	return agent_senders_wait(s, waiter, NULL) == AGENT_SENDERS_WAIT ? AGENT_SENDERS_WAIT : 0;
}

int agent_senders_vouch(struct agent_senders *s, const struct envelope_sender_cert *cert,
	struct agent_senders_waiter *w, enum agent_vouched *ret_vouched, struct err *err)
{
	struct agent_sender_watch *watch = NULL;
	struct err why = {0};

	*ret_vouched = AGENT_VOUCH_UNKNOWN;
	if (!agent_senders_names(cert->ns, cert->function))
		return 0;
	/* Who floods us with names waits for nobody. */
	if (agent_senders_voucher(s, cert->ns, cert->function, &watch, &why) < 0) {
		if (why.class == ERR_NOMEM)
			return FAIL(err, ERR_NOMEM, "watch");
		*ret_vouched = AGENT_VOUCH_NO_ANSWER;
		return 0;
	}
	agent_senders_keep_ticking(s);
	if (!kube_informer_synced(watch->informer))
		return not_synced(s, watch, w, ret_vouched);
	*ret_vouched = agent_vouch_judge(find(watch, cert), cert);
	return 0;
}
