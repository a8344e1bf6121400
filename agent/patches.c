#include "agent/patches.h"

#include "pkg/base/env.h"
#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

int agent_patch_take_term(const struct crds_leader *me, struct buf *b, struct err *err)
{
	TRY(base_buf_add_str(b, STR("{\"status\":{\"leader\":"), err));
	TRY(crds_leader_status_json(me, b, err));
	return base_buf_add_str(b, STR("}}"), err);
}

/* The tests with which every later write of a term begins. */
static int begin(const struct crds_functionkey *leader, struct kube_patch *p, struct err *err)
{
	TRY(kube_patch_test_int(p, "/status/leader/term", leader->leader.term, err));
	TRY(kube_patch_test_text(p, "/status/leader/podUID", leader->leader.pod_uid, err));
	if (leader->epoch > 0)
		TRY(kube_patch_test_int(p, "/status/epoch", leader->epoch, err));
	return 0;
}

static int key_path(char dst[static 64], size_t i, const char *field, struct err *err)
{
	const int n = snprintf(dst, 64, "/status/keys/%zu%s%s", i, *field ? "/" : "", field);

	return n > 0 && n < 64 ? 0 : FAIL(err, ERR_BUG, "path of key %zu", i);
}

/* Rows move when one is pruned: what is changed by index is tested by epoch first. And by state:
 * of two activations of which the first was thought lost, the second must not retire anew. */
static int test_row(
	const struct crds_functionkey *leader, struct kube_patch *p, size_t i, struct err *err)
{
	char path[64];

	TRY(key_path(path, i, "epoch", err));
	TRY(kube_patch_test_int(p, path, leader->keys[i].epoch, err));
	TRY(key_path(path, i, "state", err));
	return kube_patch_test_text(
		p, path, base_str(crds_key_state_name(leader->keys[i].state)), err);
}

static int set_row(
	struct kube_patch *p, size_t i, const char *field, struct str text, struct err *err)
{
	char path[64];

	TRY(key_path(path, i, field, err));
	return kube_patch_add_text(p, path, text, err);
}

static int add_leader(struct kube_patch *p, const struct crds_leader *me, struct err *err)
{
	_cleanup_(base_buf_done) struct buf leader = base_buf(AGENT_PATCH_MAX);

	TRY(crds_leader_status_json(me, &leader, err));
	return kube_patch_add(p, "/status/leader", base_buf_str(&leader), err);
}

int agent_patch_prepare(const struct crds_functionkey *leader, const struct crds_leader *me,
	const struct crds_key *made, struct buf *b, struct err *err)
{
	_cleanup_(base_buf_done) struct buf key = base_buf(AGENT_PATCH_MAX);
	struct kube_patch p = kube_patch(b);
	struct crds_key row = *made;

	row.state = CRDS_PREPARED;
	TRY(begin(leader, &p, err));
	if (me)
		TRY(add_leader(&p, me, err));
	for (size_t i = 0; i < leader->keys_len; i++) {
		if (leader->keys[i].state != CRDS_PREPARED)
			continue;
		TRY(test_row(leader, &p, i, err));
		TRY(set_row(&p, i, "state", STR("Abandoned"), err));
	}
	if (leader->keys_len == 0)
		TRY(kube_patch_add(&p, "/status/keys", STR("[]"), err));
	TRY(crds_key_json(&row, &key, err));
	TRY(kube_patch_add(&p, "/status/keys/-", base_buf_str(&key), err));
	if (leader->revoked_len || leader->revocations_len) {
		base_buf_clear(&key);
		TRY(crds_revocations_json(leader, row.epoch, &key, err));
		TRY(kube_patch_add(&p, "/status/revocations", base_buf_str(&key), err));
	}
	TRY(kube_patch_add_int(&p, "/status/epoch", row.epoch, err));
	return kube_patch_end(&p, err);
}

static bool is_exposed(const struct protocol_action *action, const struct crds_key *k)
{
	for (size_t i = 0; k->state == CRDS_RETIRED && i < action->epochs_len; i++)
		if (action->epochs[i] == k->epoch)
			return true;
	return false;
}

int agent_patch_activate(const struct crds_functionkey *leader,
	const struct protocol_action *action, int64_t wall_ns, struct buf *b, struct err *err)
{
	struct kube_patch p = kube_patch(b);
	char now[BASE_TIME_LEN];
	bool found = false;

	base_time_format(wall_ns, now);
	TRY(begin(leader, &p, err));
	for (size_t i = 0; i < leader->keys_len; i++) {
		const struct crds_key *k = &leader->keys[i];
		if (k->state == CRDS_ACTIVE) {
			TRY(test_row(leader, &p, i, err));
			TRY(set_row(
				&p, i, "state", base_str(crds_key_state_name(action->state)), err));
			TRY(set_row(&p, i, "reason", base_str(action->reason), err));
			TRY(set_row(&p, i, "retiredAt", base_str(now), err));
		} else if (is_exposed(action, k)) {
			TRY(test_row(leader, &p, i, err));
			TRY(set_row(&p, i, "state", STR("Revoked"), err));
		} else if (k->epoch == action->epoch && k->state == CRDS_PREPARED) {
			found = true;
			TRY(test_row(leader, &p, i, err));
			TRY(set_row(&p, i, "state", STR("Active"), err));
			TRY(set_row(&p, i, "activatedAt", base_str(now), err));
		}
	}
	if (!found)
		return FAIL(
			err, ERR_CONFLICT, "epoch %lld is not prepared", (long long)action->epoch);
	TRY(kube_patch_add_int(&p, "/status/activeEpoch", action->epoch, err));
	return kube_patch_end(&p, err);
}

int agent_patch_prune(
	const struct crds_functionkey *leader, int64_t epoch, struct buf *b, struct err *err)
{
	struct kube_patch p = kube_patch(b);
	char path[64];

	TRY(begin(leader, &p, err));
	for (size_t i = 0; i < leader->keys_len; i++) {
		if (leader->keys[i].epoch != epoch)
			continue;
		TRY(test_row(leader, &p, i, err));
		TRY(key_path(path, i, "", err));
		TRY(kube_patch_remove(&p, path, err));
		return kube_patch_end(&p, err);
	}
	return FAIL(err, ERR_CONFLICT, "epoch %lld is not listed", (long long)epoch);
}

static bool replaced(const struct crds_grant *old, const struct crds_grant *grants, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (grants[i].epoch == old->epoch)
			return true;
	return false;
}

/* Old rows stay as they are, so that nobody's name is put under what he did not write; rows for an
 * older incarnation are of no use to anybody and make room. */
static int write_grants(const struct crds_functionkey *member, const struct crds_grant *grants,
	size_t n, struct buf *b, struct err *err)
{
	size_t written = 0;

	TRY(base_buf_add_byte(b, '[', err));
	for (size_t i = 0; i < n; i++) {
		if (written++)
			TRY(base_buf_add_byte(b, ',', err));
		TRY(crds_grant_json(&grants[i], b, err));
	}
	for (size_t i = member->grants_len; i-- > 0 && written < CRDS_KEYS_MAX;) {
		const struct crds_grant *old = &member->grants[i];
		if (old->incarnation != member->incarnation || replaced(old, grants, n))
			continue;
		if (written++)
			TRY(base_buf_add_byte(b, ',', err));
		TRY(crds_grant_json(old, b, err));
	}
	return base_buf_add_byte(b, ']', err);
}

int agent_patch_grants(const struct crds_functionkey *member, const struct agent_granting *granting,
	struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);
	_cleanup_(base_buf_done) struct buf json = base_buf(AGENT_PATCH_MAX);
	const struct crds_leader *me = granting->me;

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "status", err));
	TRY(kube_write_key_object(&w, "leader", err));
	TRY(kube_write_key_text(&w, "pod", me->pod, err));
	TRY(kube_write_key_text(&w, "podUID", me->pod_uid, err));
	TRY(kube_write_key_int(&w, "term", me->term, err));
	TRY(kube_write_key_int(&w, "incarnation", me->incarnation, err));
	TRY(kube_write_end(&w, err));
	if (granting->n) {
		TRY(write_grants(member, granting->grants, granting->n, &json, err));
		TRY(kube_write_key(&w, STR("reEncryptionKeys"), err));
		TRY(kube_write_json(&w, base_buf_str(&json), err));
	}
	if (granting->certificate) {
		base_buf_clear(&json);
		TRY(crds_certificate_json(granting->certificate, &json, err));
		TRY(kube_write_key(&w, STR("certificate"), err));
		TRY(kube_write_json(&w, base_buf_str(&json), err));
	}
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_hex(
	struct kube_writer *w, const char *key, const uint8_t *p, size_t n, struct err *err)
{
	char hex[2 * 64 + 1];

	base_assert(n <= 64);
	base_hex(p, n, hex);
	return kube_write_key_text(w, key, base_str(hex), err);
}

int agent_patch_keys(const struct protocol_view *v, struct buf *b, struct err *err)
{
	const struct protocol_keeper *k = &v->keeper;
	const struct crds_point *inbox = k->has_next_inbox ? &k->next_inbox : &k->inbox;
	const struct crds_signature *proof = k->has_next_inbox ? &k->next_proof : &k->proof;
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(kube_write_key_int(&w, "incarnation", v->incarnation, err));
	TRY(write_hex(&w, "receivingKey", k->receiving.b, sizeof(k->receiving.b), err));
	TRY(write_hex(&w, "inboxKey", inbox->b, sizeof(inbox->b), err));
	TRY(write_hex(&w, "identityKey", k->identity.b, sizeof(k->identity.b), err));
	TRY(write_hex(&w, "proof", proof->b, sizeof(proof->b), err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_opened(const struct protocol_view *v, struct kube_writer *w, struct err *err)
{
	struct crds_opened_epoch opened[CRDS_KEYS_MAX];
	const size_t n = protocol_opened(v, opened);

	TRY(kube_write_key_object(w, "opened", err));
	TRY(kube_write_key_int(w, "incarnation", v->incarnation, err));
	TRY(kube_write_key_list(w, "epochs", err));
	for (size_t i = 0; i < n; i++) {
		TRY(kube_write_object(w, err));
		TRY(kube_write_key_int(w, "epoch", opened[i].epoch, err));
		TRY(write_hex(w, "fingerprint", opened[i].fingerprint.b,
			sizeof(opened[i].fingerprint.b), err));
		TRY(kube_write_end(w, err));
	}
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

static int write_ready(const struct protocol_view *v, struct kube_writer *w, struct err *err)
{
	const struct protocol_readiness ready = protocol_ready(v);
	const struct crds_condition *old = crds_condition_find(v->own, STR("Ready"));
	const bool same = old && (old->status == CRDS_TRUE) == ready.ready;
	char now[BASE_TIME_LEN];

	base_time_format(v->wall_ns, now);
	TRY(kube_write_key_list(w, "conditions", err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "type", STR("Ready"), err));
	TRY(kube_write_key_text(w, "status", ready.ready ? STR("True") : STR("False"), err));
	TRY(kube_write_key_text(w, "reason", base_str(ready.reason), err));
	TRY(kube_write_key_text(w, "message", base_str(ready.message), err));
	TRY(kube_write_key_text(w, "lastTransitionTime",
		same && old->last_transition.n ? old->last_transition : base_str(now), err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

int agent_patch_opened(const struct protocol_view *v, struct buf *b, struct err *err)
{
	const struct crds_key *active = v->leader ? crds_key_active(v->leader) : NULL;
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "status", err));
	if (!protocol_revoked(v))
		TRY(write_opened(v, &w, err));
	if (!protocol_revoked(v) && active && protocol_holds(v, active) &&
		active->epoch > v->own->active_epoch)
		TRY(kube_write_key_int(&w, "activeEpoch", active->epoch, err));
	TRY(write_ready(v, &w, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}
