/* What no single field says: defaults, order, and that fields fit each other. */
#include "crds/fields.h"

#define RETENTION_MIN_AGE_S  86400
#define RETENTION_MAX_EPOCHS 12

void crds_defaults(struct crds_functionkey *fk)
{
	fk->on_leader_change = CRDS_NEW_EPOCH;
	fk->retention_min_age_s = RETENTION_MIN_AGE_S;
	fk->retention_max_epochs = RETENTION_MAX_EPOCHS;
}

static int check_name(const struct crds_functionkey *fk, struct err *err)
{
	char member[CRDS_NAME_MAX];
	char label[CRDS_REVISION_MAX + 1];
	struct str want = fk->revision;

	/* without an owner's UID only a DNS label is a key */
	TRY(crds_revision_key(fk->revision, STR_NULL, label, err));
	if (fk->role == CRDS_MEMBER) {
		TRY(crds_member_name(fk->pod, fk->pod_uid, member, err));
		want = base_str(member);
	}
	if (!base_str_eq(fk->name, want))
		return FAIL(err, ERR_INVALID, "record '%.*s' has to be named '%.*s'",
			STR_FMT(fk->name), STR_FMT(want));
	return 0;
}

static int check_leader(const struct crds_functionkey *fk, struct err *err)
{
	const struct crds_leader *l = &fk->leader;

	if (fk->has_leader && (!l->pod_uid.n || !l->incarnation || !l->term))
		return FAIL(err, ERR_INVALID, "/status/leader lacks podUID, incarnation or term");
	return 0;
}

static int check_certificate(const struct crds_functionkey *fk, struct err *err)
{
	const struct crds_certificate *c = &fk->certificate;

	if (fk->has_certificate && (!c->text.n || !c->term || !c->incarnation || !c->expires_ns))
		return FAIL(err, ERR_INVALID,
			"/status/certificate lacks certificate, term, incarnation or expires");
	return 0;
}

/* Lists are short. Elements begin with their epoch: see the asserts. */
_Static_assert(offsetof(struct crds_key, epoch) == 0, "sorted by its first member");
_Static_assert(offsetof(struct crds_grant, epoch) == 0, "sorted by its first member");
_Static_assert(offsetof(struct crds_opened_epoch, epoch) == 0, "sorted by its first member");

static int64_t epoch_of(const char *item)
{
	int64_t epoch;

	memcpy(&epoch, item, sizeof(epoch));
	return epoch;
}

static void swap(char *a, char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char c = a[i];
		a[i] = b[i];
		b[i] = c;
	}
}

static int sort_by_epoch(void *items, size_t n, size_t size, const char *where, struct err *err)
{
	char *p = items;

	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0; k--) {
			char *const at = p + k * size;
			if (epoch_of(at - size) == epoch_of(at))
				return FAIL(err, ERR_INVALID, "%s has epoch %lld twice", where,
					(long long)epoch_of(at));
			if (epoch_of(at - size) < epoch_of(at))
				break;
			swap(at - size, at, size);
		}
	return 0;
}

static int check_keys(struct crds_functionkey *fk, struct err *err)
{
	size_t states[CRDS_REVOKED + 1] = {0};

	for (size_t i = 0; i < fk->keys_len; i++) {
		struct crds_key *k = &fk->keys[i];
		k->has_link = k->previous > 0;
		if (k->epoch > fk->epoch || k->previous >= k->epoch)
			return FAIL(err, ERR_INVALID,
				"/status/keys: epoch %lld is above %lld or links forward",
				(long long)k->epoch, (long long)fk->epoch);
		if (k->state == CRDS_ACTIVE && k->epoch != fk->active_epoch)
			return FAIL(err, ERR_INVALID,
				"/status/keys: epoch %lld is Active, activeEpoch is %lld",
				(long long)k->epoch, (long long)fk->active_epoch);
		states[k->state]++;
	}
	if (states[CRDS_ACTIVE] > 1 || states[CRDS_PREPARED] > 1)
		return FAIL(err, ERR_INVALID, "/status/keys: two keys are Active or Prepared");
	return 0;
}

int crds_complete(struct crds_functionkey *fk, struct err *err)
{
	fk->has_leader = fk->leader.pod.n > 0;
	fk->has_certificate = fk->certificate.leader.n > 0;
	TRY(check_name(fk, err));
	TRY(check_leader(fk, err));
	TRY(check_certificate(fk, err));
	TRY(sort_by_epoch(fk->keys, fk->keys_len, sizeof(*fk->keys), "/status/keys", err));
	TRY(sort_by_epoch(
		fk->grants, fk->grants_len, sizeof(*fk->grants), "/status/reEncryptionKeys", err));
	TRY(sort_by_epoch(
		fk->opened, fk->opened_len, sizeof(*fk->opened), "/status/opened/epochs", err));
	return check_keys(fk, err);
}
