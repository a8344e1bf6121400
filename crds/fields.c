#include "crds/fields.h"

#include "pkg/base/text.h"

#include <stdio.h>

static const char *const role_words[] = {"", "Leader", "Member", NULL};
static const char *const state_words[] = {
	"", "Prepared", "Active", "Retired", "Abandoned", "Revoked", NULL};
static const char *const change_words[] = {"", "NewEpoch", "Inherit", NULL};
static const char *const truth_words[] = {"Unknown", "True", "False", NULL};

#define AT(member)        .offset = offsetof(struct crds_functionkey, member)
#define TEXT(size)        .kind = CRDS_TEXT, .bound = (size)
#define WORD(list)        .kind = CRDS_WORD, .bound = 16, .words = (list)
#define NEED(who)         .need = CRDS_NEED_##who
#define DNS_MAX           253
#define CONDITION_MESSAGE (4 * 2048) /* the schema counts characters */

static const struct crds_field root_fields[] = {
	{"/metadata/namespace", TEXT(63), NEED(BOTH), AT(ns)},
	{"/metadata/name", TEXT(DNS_MAX), NEED(BOTH), AT(name)},
	{"/metadata/uid", TEXT(CRDS_UID_LEN), AT(uid)},
	{"/metadata/resourceVersion", TEXT(63), AT(resource_version)},
	{"/metadata/generation", .kind = CRDS_GENERATION, AT(generation)},
	{"/metadata/deletionTimestamp", .kind = CRDS_PRESENT, AT(deleting)},
	{"/metadata/labels/functionkey.dev~1for", TEXT(63), AT(label_for)},
	{"/metadata/labels/functionkey.dev~1function", TEXT(63), AT(label_function)},

	{"/spec/role", WORD(role_words), NEED(BOTH), AT(role)},
	{"/spec/revision", TEXT(CRDS_REVISION_MAX), NEED(BOTH), AT(revision)},
	{"/spec/function", TEXT(CRDS_FUNCTION_MAX), NEED(LEADER), AT(function)},
	{"/spec/scheme", TEXT(32), NEED(LEADER), AT(scheme)},
	{"/spec/onLeaderChange", WORD(change_words), AT(on_leader_change)},
	{"/spec/retention/minAge", .kind = CRDS_DURATION, AT(retention_min_age_s)},
	{"/spec/retention/maxEpochs", .kind = CRDS_ID, AT(retention_max_epochs)},
	{"/spec/rotation/period", .kind = CRDS_DURATION, AT(rotation_period_s)},
	{"/spec/rotation/afterEpoch", .kind = CRDS_COUNT, AT(rotation_after_epoch)},
	{"/spec/eraseThrough", .kind = CRDS_COUNT, AT(erase_through)},
	{"/spec/pod", TEXT(DNS_MAX), NEED(MEMBER), AT(pod)},
	{"/spec/podUID", .kind = CRDS_UID, NEED(MEMBER), AT(pod_uid)},
	{"/spec/incarnation", .kind = CRDS_ID, NEED(MEMBER), AT(incarnation)},
	{"/spec/receivingKey", .kind = CRDS_POINT, NEED(MEMBER), AT(receiving)},
	{"/spec/inboxKey", .kind = CRDS_POINT, NEED(MEMBER), AT(inbox)},
	{"/spec/identityKey", .kind = CRDS_POINT, NEED(MEMBER), AT(identity)},
	{"/spec/proof", .kind = CRDS_SIGNATURE, NEED(MEMBER), AT(proof)},

	{"/status/epoch", .kind = CRDS_ID, AT(epoch)},
	{"/status/activeEpoch", .kind = CRDS_ID, AT(active_epoch)},
	{"/status/observedEpoch", .kind = CRDS_ID, AT(observed_epoch)},
	{"/status/leader/pod", TEXT(DNS_MAX), AT(leader.pod)},
	{"/status/leader/podUID", .kind = CRDS_UID, AT(leader.pod_uid)},
	{"/status/leader/incarnation", .kind = CRDS_ID, AT(leader.incarnation)},
	{"/status/leader/term", .kind = CRDS_ID, AT(leader.term)},
	{"/status/leader/since", TEXT(40), AT(leader.since)},
	{"/status/leader/endpoint", TEXT(64), AT(leader.endpoint)},
	{"/status/leader/verifyingKey", .kind = CRDS_POINT, AT(leader.verifying)},
	{"/status/leader/identityKey", .kind = CRDS_POINT, AT(leader.identity)},
	{"/status/leader/signature", .kind = CRDS_SIGNATURE, AT(leader.signature)},
	{"/status/members/total", .kind = CRDS_COUNT, AT(members_total)},
	{"/status/members/ready", .kind = CRDS_COUNT, AT(members_ready)},
	{"/status/opened/incarnation", .kind = CRDS_ID, AT(opened_incarnation)},
	{"/status/certificate/certificate", TEXT(CRDS_CERT_MAX), AT(certificate.text)},
	{"/status/certificate/issuer", .kind = CRDS_POINT, AT(certificate.issuer)},
	{"/status/certificate/leader", TEXT(DNS_MAX), AT(certificate.leader)},
	{"/status/certificate/term", .kind = CRDS_ID, AT(certificate.term)},
	{"/status/certificate/incarnation", .kind = CRDS_ID, AT(certificate.incarnation)},
	{"/status/certificate/expires", .kind = CRDS_TIME, AT(certificate.expires_ns)},
};

#undef AT
#define AT(member) .offset = offsetof(struct crds_key, member)
static const struct crds_field key_fields[] = {
	{"/epoch", .kind = CRDS_ID, NEED(BOTH), AT(epoch)},
	{"/state", WORD(state_words), NEED(BOTH), AT(state)},
	{"/reason", TEXT(64), AT(reason)},
	{"/publicKey", .kind = CRDS_POINT, NEED(BOTH), AT(key)},
	{"/fingerprint", .kind = CRDS_FINGERPRINT, NEED(BOTH), AT(fingerprint)},
	{"/continuityKey", .kind = CRDS_POINT, NEED(BOTH), AT(continuity)},
	{"/identityKey", .kind = CRDS_POINT, NEED(BOTH), AT(identity)},
	{"/signature", .kind = CRDS_SIGNATURE, NEED(BOTH), AT(signature)},
	{"/link", .kind = CRDS_SIGNATURE, AT(link)},
	{"/previousEpoch", .kind = CRDS_ID, AT(previous)},
	{"/leaderPod", TEXT(DNS_MAX), NEED(BOTH), AT(leader_pod)},
	{"/term", .kind = CRDS_ID, NEED(BOTH), AT(term)},
	{"/activatedAt", .kind = CRDS_TIME, AT(activated_ns)},
	{"/retiredAt", .kind = CRDS_TIME, AT(retired_ns)},
};

#undef AT
#define AT(member) .offset = offsetof(struct crds_grant, member)
static const struct crds_field grant_fields[] = {
	{"/epoch", .kind = CRDS_ID, NEED(BOTH), AT(epoch)},
	{"/term", .kind = CRDS_ID, NEED(BOTH), AT(term)},
	{"/incarnation", .kind = CRDS_ID, NEED(BOTH), AT(incarnation)},
	{"/leader", TEXT(DNS_MAX), NEED(BOTH), AT(leader)},
	{"/from", .kind = CRDS_FINGERPRINT, NEED(BOTH), AT(from)},
	{"/to", .kind = CRDS_FINGERPRINT, NEED(BOTH), AT(to)},
	{"/inbox", .kind = CRDS_FINGERPRINT, NEED(BOTH), AT(inbox)},
	{"/kfrag", TEXT(CRDS_KFRAG_MAX), NEED(BOTH), AT(kfrag)},
	{"/signature", .kind = CRDS_SIGNATURE, NEED(BOTH), AT(signature)},
};

#undef AT
#define AT(member) .offset = offsetof(struct crds_opened_epoch, member)
static const struct crds_field opened_fields[] = {
	{"/epoch", .kind = CRDS_ID, NEED(BOTH), AT(epoch)},
	{"/fingerprint", .kind = CRDS_FINGERPRINT, NEED(BOTH), AT(fingerprint)},
};

#undef AT
#define AT(member) .offset = offsetof(struct crds_revocation, member)
static const struct crds_field revocation_fields[] = {
	{"/podUID", .kind = CRDS_UID, NEED(BOTH), AT(pod_uid)},
	{"/epoch", .kind = CRDS_ID, NEED(BOTH), AT(epoch)},
};

#undef AT
#define AT(member) .offset = offsetof(struct crds_condition, member)
static const struct crds_field condition_fields[] = {
	{"/type", TEXT(316), NEED(BOTH), AT(type)},
	{"/status", WORD(truth_words), AT(status)},
	{"/reason", TEXT(1024), AT(reason)},
	{"/message", TEXT(CONDITION_MESSAGE), AT(message)},
	{"/lastTransitionTime", TEXT(40), AT(last_transition)},
};
static const struct crds_field uid_fields[] = {{"", .kind = CRDS_UID, NEED(BOTH)}};

#define SHAPE(rows, type)                                                    \
	{                                                                    \
		.fields = (rows), .n = ARRAY_LEN(rows), .size = sizeof(type) \
	}
const struct crds_shape crds_shape_root = SHAPE(root_fields, struct crds_functionkey);
const struct crds_shape crds_shape_key = SHAPE(key_fields, struct crds_key);
const struct crds_shape crds_shape_grant = SHAPE(grant_fields, struct crds_grant);
static const struct crds_shape shape_opened = SHAPE(opened_fields, struct crds_opened_epoch);
const struct crds_shape crds_shape_revocation = SHAPE(revocation_fields, struct crds_revocation);
static const struct crds_shape shape_condition = SHAPE(condition_fields, struct crds_condition);
static const struct crds_shape shape_uid = SHAPE(uid_fields, struct str);

#define INTO(list, len)                                    \
	.offset = offsetof(struct crds_functionkey, list), \
	.len_offset = offsetof(struct crds_functionkey, len)
const struct crds_list crds_lists[CRDS_LISTS] = {
	{"/status/keys", CRDS_KEYS_MAX, INTO(keys, keys_len), .shape = &crds_shape_key},
	{"/status/reEncryptionKeys", CRDS_KEYS_MAX, INTO(grants, grants_len),
		.shape = &crds_shape_grant},
	{"/status/opened/epochs", CRDS_KEYS_MAX, INTO(opened, opened_len), .shape = &shape_opened},
	{"/status/conditions", CRDS_CONDITIONS_MAX, INTO(conditions, conditions_len),
		.shape = &shape_condition},
	{"/spec/revoked", CRDS_REVOKED_MAX, INTO(revoked, revoked_len), .shape = &shape_uid,
		.texts = true},
	{"/status/revocations", CRDS_REVOKED_MAX, INTO(revocations, revocations_len),
		.shape = &crds_shape_revocation},
};

int crds_word_value(const char *const *words, struct str s)
{
	for (int i = 0; words[i]; i++)
		if (base_str_eq(s, base_str(words[i])))
			return i;
	return -1;
}

static const struct unit {
	char letter;
	int64_t seconds;
	uint64_t max;
} units[] = {{'h', 3600, 9999}, {'m', 60, 999999}, {'s', 1, 99999999}};

int crds_duration_parse(struct str s, int64_t *ret_seconds, struct err *err)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (s.n < 2 || s.p[s.n - 1] != units[i].letter)
			continue;
		TRY(base_parse_u64(base_str_sub(s, 0, s.n - 1), units[i].max, &n, err));
		*ret_seconds = (int64_t)n * units[i].seconds;
		return 0;
	}
	return FAIL(err, ERR_INVALID, "'%.*s' is no duration such as 30s, 90m or 24h", STR_FMT(s));
}

int crds_duration_format(int64_t seconds, char dst[static CRDS_DURATION_LEN], struct err *err)
{
	for (size_t i = 0; seconds >= 0 && i < ARRAY_LEN(units); i++) {
		const uint64_t n = (uint64_t)(seconds / units[i].seconds);
		if (seconds % units[i].seconds != 0 || n > units[i].max ||
			(n == 0 && units[i].seconds > 1))
			continue;
		(void)snprintf(
			dst, CRDS_DURATION_LEN, "%llu%c", (unsigned long long)n, units[i].letter);
		return 0;
	}
	return FAIL(err, ERR_INVALID, "%lld s is no duration that a FunctionKey can say",
		(long long)seconds);
}
