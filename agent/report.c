#include "agent/report.h"

#include "pkg/base/text.h"

const char *const agent_sender_levels[] = {"none", "origin", "message", NULL};

const char *const agent_vouched_names[AGENT_VOUCH_COUNT + 1] = {
	[AGENT_VOUCHED] = "verified",
	[AGENT_VOUCH_UNREADABLE] = "unreadable",
	[AGENT_VOUCH_UNKNOWN] = "unknown",
	[AGENT_VOUCH_ISSUER] = "issuer",
	[AGENT_VOUCH_REVOKED] = "revoked",
	[AGENT_VOUCH_NO_ANSWER] = "no-answer",
};

void agent_uid_text(
	const uint8_t uid[static ENVELOPE_CERT_UID_LEN], char dst[static CRDS_UID_LEN + 1])
{
	static const size_t parts[] = {4, 2, 2, 2, 6};
	size_t at = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		base_hex(uid + at, parts[i], dst + n);
		at += parts[i];
		n += 2 * parts[i];
		if (i + 1 < ARRAY_LEN(parts))
			dst[n++] = '-';
	}
}

static int add_name(const struct agent_sender *s, const struct agent_report *to, const char *field,
	struct err *err)
{
	char name[AGENT_SENDER_NAME_MAX + 1];
	const struct envelope_sender_cert *c = &s->cert;

	base_assert(c->ns.n + 1 + c->function.n <= AGENT_SENDER_NAME_MAX);
	memcpy(name, c->ns.p, c->ns.n);
	name[c->ns.n] = '/';
	memcpy(name + c->ns.n + 1, c->function.p, c->function.n);
	return to->add(to->ctx, field, base_str_n(name, c->ns.n + 1 + c->function.n), err);
}

static int add_verified(
	const struct agent_sender *s, const struct agent_report *to, struct err *err)
{
	char uid[CRDS_UID_LEN + 1];

	agent_uid_text(s->cert.uid, uid);
	TRY(add_name(s, to, "Functionkey-Sender", err));
	TRY(to->add(to->ctx, "Functionkey-Sender-Revision", s->cert.revision, err));
	TRY(to->add(to->ctx, "Functionkey-Sender-Pod", s->cert.pod, err));
	return to->add(to->ctx, "Functionkey-Sender-Pod-Uid", base_str(uid), err);
}

int agent_report_sender(
	const struct agent_sender *s, const struct agent_report *to, struct err *err)
{
	const bool verified = s->named && s->vouched == AGENT_VOUCHED;

	TRY(to->add(to->ctx, AGENT_REPORT_LEVEL, base_str(agent_sender_levels[s->level]), err));
	if (!s->named)
		return 0;
	TRY(to->add(to->ctx, "Functionkey-Sender-Verified", verified ? STR("true") : STR("false"),
		err));
	if (verified)
		return add_verified(s, to, err);
	TRY(add_name(s, to, "Functionkey-Sender-Claimed", err));
	return to->add(to->ctx, "Functionkey-Sender-Reason",
		base_str(agent_vouched_names[s->vouched]), err);
}
