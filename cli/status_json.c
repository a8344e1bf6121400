/* The status as a document for programs: field names are those of the records where they have one.
 */
#include "cli/status.h"
#include "pkg/kube/patch.h"

static int write_time(struct kube_writer *w, const char *key, int64_t ns, struct err *err)
{
	char text[BASE_TIME_LEN];

	if (!ns)
		return 0;
	base_time_format(ns, text);
	return kube_write_key_text(w, key, base_str(text), err);
}

/* A text of the cluster need not be UTF-8 after decoding; the writer refuses what is not. */
static int write_text(struct kube_writer *w, const char *key, struct str s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);

	TRY(base_json_str_add(&b, s, err));
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_json(w, base_buf_str(&b), err);
}

static int write_key(struct kube_writer *w, const struct crds_key *k, struct err *err)
{
	char fp[33];

	base_hex(k->fingerprint.b, sizeof(k->fingerprint.b), fp);
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_int(w, "epoch", k->epoch, err));
	TRY(kube_write_key_text(w, "state", base_str(crds_key_state_name(k->state)), err));
	TRY(kube_write_key_text(w, "fingerprint", base_str(fp), err));
	TRY(write_text(w, "leaderPod", k->leader_pod, err));
	TRY(kube_write_key_int(w, "term", k->term, err));
	TRY(write_text(w, "reason", k->reason, err));
	TRY(write_time(w, "activatedAt", k->activated_ns, err));
	TRY(write_time(w, "retiredAt", k->retired_ns, err));
	return kube_write_end(w, err);
}

static int write_conditions(
	struct kube_writer *w, const struct crds_functionkey *fk, struct err *err)
{
	static const char *const names[] = {
		[CRDS_UNKNOWN] = "Unknown", [CRDS_TRUE] = "True", [CRDS_FALSE] = "False"};

	TRY(kube_write_key_list(w, "conditions", err));
	for (size_t i = 0; i < fk->conditions_len; i++) {
		const struct crds_condition *c = &fk->conditions[i];
		TRY(kube_write_object(w, err));
		TRY(write_text(w, "type", c->type, err));
		TRY(kube_write_key_text(w, "status", base_str(names[c->status]), err));
		TRY(write_text(w, "reason", c->reason, err));
		TRY(write_text(w, "message", c->message, err));
		TRY(write_text(w, "lastTransitionTime", c->last_transition, err));
		TRY(kube_write_end(w, err));
	}
	return kube_write_end(w, err);
}

static int write_leader(struct kube_writer *w, const struct crds_functionkey *l, struct err *err)
{
	TRY(write_text(w, "function", l->function, err));
	TRY(kube_write_key_int(w, "epoch", l->epoch, err));
	TRY(kube_write_key_int(w, "activeEpoch", l->active_epoch, err));
	if (l->has_leader) {
		TRY(kube_write_key_object(w, "leader", err));
		TRY(write_text(w, "pod", l->leader.pod, err));
		TRY(write_text(w, "podUID", l->leader.pod_uid, err));
		TRY(kube_write_key_int(w, "incarnation", l->leader.incarnation, err));
		TRY(kube_write_key_int(w, "term", l->leader.term, err));
		TRY(write_text(w, "since", l->leader.since, err));
		TRY(kube_write_end(w, err));
	}
	TRY(kube_write_key_object(w, "members", err));
	TRY(kube_write_key_int(w, "total", l->members_total, err));
	TRY(kube_write_key_int(w, "ready", l->members_ready, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_list(w, "keys", err));
	for (size_t i = 0; i < l->keys_len; i++)
		TRY(write_key(w, &l->keys[i], err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_list(w, "revoked", err));
	for (size_t i = 0; i < l->revoked_len; i++)
		TRY(kube_write_text(w, l->revoked[i], err));
	TRY(kube_write_end(w, err));
	return write_conditions(w, l, err);
}

static int write_replica(struct kube_writer *w, const struct crds_functionkey *m, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(write_text(w, "pod", m->pod, err));
	TRY(write_text(w, "podUID", m->pod_uid, err));
	TRY(kube_write_key_int(w, "incarnation", m->incarnation, err));
	TRY(kube_write_key_list(w, "opened", err));
	for (size_t i = 0; i < m->opened_len; i++)
		TRY(kube_write_int(w, m->opened[i].epoch, err));
	TRY(kube_write_end(w, err));
	TRY(write_conditions(w, m, err));
	return kube_write_end(w, err);
}

int cli_status_json(const struct cli_status_view *v, const struct cli_records *r, struct buf *b,
	struct err *err)
{
	struct kube_writer w = kube_writer(b);
	struct cli_revision rev;

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_list(&w, "revisions", err));
	for (size_t at = 0; cli_records_next(r, &at, &rev);) {
		const struct crds_condition *ready = rev.leader ? cli_ready(rev.leader) : NULL;
		if (!cli_revision_named(&rev, v->name))
			continue;
		TRY(kube_write_object(&w, err));
		TRY(write_text(&w, "namespace", rev.ns, err));
		TRY(write_text(&w, "revision", rev.revision, err));
		TRY(kube_write_key_bool(&w, "ready", ready && ready->status == CRDS_TRUE, err));
		if (rev.leader)
			TRY(write_leader(&w, rev.leader, err));
		TRY(kube_write_key_list(&w, "replicas", err));
		for (size_t i = 0; i < rev.members_len; i++)
			TRY(write_replica(&w, rev.members[i], err));
		TRY(kube_write_end(&w, err));
		TRY(kube_write_end(&w, err));
	}
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}
