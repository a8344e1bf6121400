#include "crds/functionkey.h"

#include "pkg/base/alloc.h"

const struct kube_resource crds_functionkeys = {.group = CRDS_GROUP,
	.version = CRDS_VERSION,
	.plural = "functionkeys",
	.kind = "FunctionKey",
	.namespaced = true};

struct crds_functionkey *crds_functionkey_free(struct crds_functionkey *fk)
{
	return base_free(fk);
}

const struct crds_key *crds_key_find(const struct crds_functionkey *leader, int64_t epoch)
{
	for (size_t i = 0; i < leader->keys_len; i++)
		if (leader->keys[i].epoch == epoch)
			return &leader->keys[i];
	return NULL;
}

static const struct crds_key *find_state(
	const struct crds_functionkey *leader, enum crds_key_state state)
{
	for (size_t i = 0; i < leader->keys_len; i++)
		if (leader->keys[i].state == state)
			return &leader->keys[i];
	return NULL;
}

const struct crds_key *crds_key_active(const struct crds_functionkey *leader)
{
	return find_state(leader, CRDS_ACTIVE);
}

const struct crds_key *crds_key_prepared(const struct crds_functionkey *leader)
{
	return find_state(leader, CRDS_PREPARED);
}

const struct crds_grant *crds_grant_find(const struct crds_functionkey *member, int64_t epoch)
{
	for (size_t i = 0; i < member->grants_len; i++)
		if (member->grants[i].epoch == epoch)
			return &member->grants[i];
	return NULL;
}

/* What an earlier incarnation could open says nothing of this one. */
bool crds_opened(const struct crds_functionkey *member, int64_t epoch)
{
	if (member->opened_incarnation != member->incarnation)
		return false;
	for (size_t i = 0; i < member->opened_len; i++)
		if (member->opened[i].epoch == epoch)
			return true;
	return false;
}

const struct crds_revocation *crds_revocation_find(
	const struct crds_functionkey *leader, struct str pod_uid)
{
	for (size_t i = 0; i < leader->revocations_len; i++)
		if (base_str_eq(leader->revocations[i].pod_uid, pod_uid))
			return &leader->revocations[i];
	return NULL;
}

bool crds_revoked(const struct crds_functionkey *leader, struct str pod_uid)
{
	for (size_t i = 0; i < leader->revoked_len; i++)
		if (base_str_eq(leader->revoked[i], pod_uid))
			return true;
	return false;
}

const struct crds_condition *crds_condition_find(const struct crds_functionkey *fk, struct str type)
{
	for (size_t i = 0; i < fk->conditions_len; i++)
		if (base_str_eq(fk->conditions[i].type, type))
			return &fk->conditions[i];
	return NULL;
}

const struct crds_condition *crds_no_holder(const struct crds_functionkey *leader)
{
	const struct crds_condition *c = crds_condition_find(leader, STR("NoHolder"));
	const bool of_this_key =
		leader->observed_epoch == 0 || leader->observed_epoch >= leader->active_epoch;

	return c && c->status == CRDS_TRUE && of_this_key ? c : NULL;
}

const char *crds_key_state_name(enum crds_key_state state)
{
	static const char *const names[] = {
		"Unknown", "Prepared", "Active", "Retired", "Abandoned", "Revoked"};

	return (size_t)state < ARRAY_LEN(names) ? names[state] : names[0];
}
