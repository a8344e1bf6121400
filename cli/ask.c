#include "cli/ask.h"

#include "pkg/kube/patch.h"

#include <unistd.h>

#define BODY_MAX  65536
#define TRIES_MAX 5
#define LOOK_US   250000 /* between looks of --wait */
#define MANAGER   "kubectl-functionkey"

static int write_rotation(
	struct kube_writer *w, const struct crds_functionkey *leader, struct err *err)
{
	TRY(kube_write_key_object(w, "rotation", err));
	TRY(kube_write_key_int(w, "afterEpoch", leader->active_epoch, err));
	return kube_write_end(w, err);
}

int cli_ask_renew(const struct crds_functionkey *leader, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	if (!crds_key_active(leader))
		return FAIL(err, ERR_NOT_READY, "revision %.*s has no active key to renew",
			STR_FMT(leader->revision));
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "uid", leader->uid, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(write_rotation(&w, leader, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int cli_ask_listed(
	const struct crds_functionkey *leader, int64_t through, struct buf *b, struct err *err)
{
	for (size_t i = 0; i < leader->keys_len; i++)
		if (leader->keys[i].epoch <= through)
			TRY(base_buf_addf(b, err, "%s%lld", b->len ? ", " : "",
				(long long)leader->keys[i].epoch));
	return 0;
}

int cli_ask_retire(
	const struct crds_functionkey *leader, int64_t epoch, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	if (epoch < 1)
		return FAIL(err, ERR_INVALID, "write --epoch=N: the last one to be erased");
	if (epoch > leader->epoch)
		return FAIL(err, ERR_NOT_FOUND, "revision %.*s has no epoch %lld: the last is %lld",
			STR_FMT(leader->revision), (long long)epoch, (long long)leader->epoch);
	if (epoch >= leader->active_epoch)
		return FAIL(err, ERR_NOT_READY,
			"epoch %lld of revision %.*s is in use (%lld is active): renew it first",
			(long long)epoch, STR_FMT(leader->revision),
			(long long)leader->active_epoch);
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "uid", leader->uid, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(kube_write_key_int(&w, "eraseThrough", epoch, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_revoked(struct kube_writer *w, const struct crds_functionkey *leader,
	struct str pod_uid, struct err *err)
{
	TRY(kube_write_key_list(w, "revoked", err));
	for (size_t i = 0; i < leader->revoked_len; i++)
		TRY(kube_write_text(w, leader->revoked[i], err));
	TRY(kube_write_text(w, pod_uid, err));
	return kube_write_end(w, err);
}

int cli_ask_revoke(
	const struct crds_functionkey *leader, struct str pod_uid, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	for (size_t i = 0; i < leader->revoked_len; i++)
		if (base_str_eq(leader->revoked[i], pod_uid))
			return FAIL(err, ERR_EXISTS, "the pod is revoked already");
	if (leader->revoked_len == CRDS_REVOKED_MAX)
		return FAIL(err, ERR_TOO_LARGE,
			"%d pods of revision %.*s are revoked already: take those that are gone "
			"from spec.revoked first",
			CRDS_REVOKED_MAX, STR_FMT(leader->revision));
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "uid", leader->uid, err));
	/* A merge patch replaces the whole list: not one that somebody else wrote meanwhile. */
	TRY(kube_write_key_text(&w, "resourceVersion", leader->resource_version, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(write_revoked(&w, leader, pod_uid, err));
	if (crds_key_active(leader))
		TRY(write_rotation(&w, leader, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int cli_ask_member(const struct cli_records *r, struct str name,
	const struct crds_functionkey **ret_member, struct err *err)
{
	const struct crds_functionkey *found = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct crds_functionkey *fk = r->v[i];
		if (fk->role != CRDS_MEMBER ||
			!(base_str_eq(fk->pod, name) || base_str_eq(fk->name, name)))
			continue;
		if (found)
			return FAIL(err, ERR_INVALID,
				"%.*s and %.*s are of pods with that name: name the record",
				STR_FMT(found->name), STR_FMT(fk->name));
		found = fk;
	}
	if (!found)
		return FAIL(err, ERR_NOT_FOUND, "no replica named %.*s has a Member record",
			STR_FMT(name));
	*ret_member = found;
	return 0;
}

/* -- the commands -- */

static const char *how(const struct cli_options *o)
{
	return o->dry_run == CLI_DRY_CLIENT   ? " (dry run)"
	       : o->dry_run == CLI_DRY_SERVER ? " (server dry run)"
					      : "";
}

static int send_patch(const struct cli_options *o, struct cli_session *s,
	const struct crds_functionkey *leader, struct str body, struct err *err)
{
	const struct kube_request r = {.verb = KUBE_PATCH_MERGE,
		.resource = &crds_functionkeys,
		.ns = leader->ns,
		.name = leader->name,
		.query = o->dry_run == CLI_DRY_SERVER ? STR("dryRun=All") : STR_NULL,
		.body = body,
		.field_manager = MANAGER};

	return o->dry_run == CLI_DRY_CLIENT ? 0 : cli_ask(s, &r, NULL, err);
}

static int renew_one(const struct cli_options *o, struct cli_session *s,
	const struct crds_functionkey *leader, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(BODY_MAX);

	TRY(cli_ask_renew(leader, &body, err));
	TRY(send_patch(o, s, leader, base_buf_str(&body), err));
	(void)printf("functionkey/%.*s: a key above epoch %lld is asked for%s\n",
		STR_FMT(leader->name), (long long)leader->active_epoch, how(o));
	return 0;
}

static bool is_above(const struct cli_records *r, const struct crds_functionkey *before)
{
	for (size_t i = 0; i < r->n; i++)
		if (base_str_eq(r->v[i]->uid, before->uid))
			return r->v[i]->active_epoch > before->active_epoch;
	return true; /* the revision is gone: nothing to wait for */
}

static int wait_for(struct cli_session *s, const struct crds_functionkey *before, struct err *err)
{
	for (;;) {
		_cleanup_(cli_records_done) struct cli_records now = {0};
		TRY(cli_records_load(s, before->ns, STR(CRDS_LABEL_ROLE "=leader"), &now, err));
		if (is_above(&now, before))
			break;
		(void)usleep(LOOK_US);
	}
	(void)printf("functionkey/%.*s: a new key is active\n", STR_FMT(before->name));
	return 0;
}

static int renew(const struct cli_options *o, struct cli_session *s, struct err *err)
{
	_cleanup_(cli_records_done) struct cli_records r = {0};
	const struct str name = base_str(o->names[0]);
	struct cli_revision rev;
	size_t n = 0;

	TRY(cli_records_load(s, s->config->ns, STR(CRDS_LABEL_ROLE "=leader"), &r, err));
	for (size_t at = 0; cli_records_next(&r, &at, &rev);) {
		if (!rev.leader || !cli_revision_named(&rev, name))
			continue;
		TRY(renew_one(o, s, rev.leader, err));
		n++;
	}
	if (!n)
		return FAIL(err, ERR_NOT_FOUND,
			"namespace %.*s has no revision and no function named %.*s",
			STR_FMT(s->config->ns), STR_FMT(name));
	for (size_t at = 0; o->wait && !o->dry_run && cli_records_next(&r, &at, &rev);)
		if (rev.leader && cli_revision_named(&rev, name))
			TRY(wait_for(s, rev.leader, err));
	return CLI_OK;
}

int cli_renew(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};

	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	return renew(o, &s, err);
}

/* Epochs count within a revision, so a name of several has no epoch N. */
static int the_only(const struct cli_session *s, const struct cli_records *r, struct str name,
	const struct crds_functionkey **ret_leader, struct err *err)
{
	const struct crds_functionkey *found = NULL;
	struct cli_revision rev;

	for (size_t at = 0; cli_records_next(r, &at, &rev);) {
		if (!rev.leader || !cli_revision_named(&rev, name))
			continue;
		if (found)
			return FAIL(err, ERR_INVALID,
				"function %.*s has several revisions, each with epochs of its own: "
				"name one, as %.*s",
				STR_FMT(name), STR_FMT(found->revision));
		found = rev.leader;
	}
	if (!found)
		return FAIL(err, ERR_NOT_FOUND,
			"namespace %.*s has no revision and no function named %.*s",
			STR_FMT(s->config->ns), STR_FMT(name));
	*ret_leader = found;
	return 0;
}

static bool lists_epochs(const struct cli_records *r, struct str uid, int64_t through)
{
	for (size_t i = 0; i < r->n; i++)
		if (base_str_eq(r->v[i]->uid, uid))
			return r->v[i]->keys_len && r->v[i]->keys[0].epoch <= through;
	return false; /* the revision is gone, and its keys with it */
}

static int wait_for_end(struct cli_session *s, const struct crds_functionkey *leader,
	int64_t through, struct err *err)
{
	for (;;) {
		_cleanup_(cli_records_done) struct cli_records now = {0};
		TRY(cli_records_load(s, leader->ns, STR(CRDS_LABEL_ROLE "=leader"), &now, err));
		if (!lists_epochs(&now, leader->uid, through))
			break;
		(void)usleep(LOOK_US);
	}
	(void)printf("functionkey/%.*s: no epoch up to %lld is listed any more\n",
		STR_FMT(leader->name), (long long)through);
	return 0;
}

static int retire(const struct cli_options *o, struct cli_session *s, struct err *err)
{
	_cleanup_(cli_records_done) struct cli_records r = {0};
	_cleanup_(base_buf_done) struct buf body = base_buf(BODY_MAX);
	_cleanup_(base_buf_done) struct buf listed = base_buf(BODY_MAX);
	const struct crds_functionkey *leader = NULL;

	TRY(cli_records_load(s, s->config->ns, STR(CRDS_LABEL_ROLE "=leader"), &r, err));
	TRY(the_only(s, &r, base_str(o->names[0]), &leader, err));
	TRY(cli_ask_retire(leader, o->epoch, &body, err));
	TRY(cli_ask_listed(leader, o->epoch, &listed, err));
	if (o->epoch > leader->erase_through)
		TRY(send_patch(o, s, leader, base_buf_str(&body), err));
	if (listed.len)
		(void)printf("functionkey/%.*s: the end of epoch %.*s is asked for%s\n",
			STR_FMT(leader->name), STR_FMT(base_buf_str(&listed)), how(o));
	else
		(void)printf("functionkey/%.*s: no epoch up to %lld is listed%s\n",
			STR_FMT(leader->name), (long long)o->epoch, how(o));
	if (o->wait && !o->dry_run && listed.len)
		TRY(wait_for_end(s, leader, o->epoch, err));
	return CLI_OK;
}

int cli_retire(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};

	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	return retire(o, &s, err);
}

static const struct crds_functionkey *leader_of(
	const struct cli_records *r, const struct crds_functionkey *member)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i]->role == CRDS_LEADER &&
			base_str_eq(r->v[i]->revision, member->revision))
			return r->v[i];
	return NULL;
}

static int revoke_one(const struct cli_options *o, struct cli_session *s, struct err *err)
{
	_cleanup_(cli_records_done) struct cli_records r = {0};
	_cleanup_(base_buf_done) struct buf body = base_buf(BODY_MAX);
	const struct crds_functionkey *member = NULL;

	TRY(cli_records_load(s, s->config->ns, STR_NULL, &r, err));
	TRY(cli_ask_member(&r, base_str(o->names[0]), &member, err));
	const struct crds_functionkey *leader = leader_of(&r, member);
	if (!leader)
		return FAIL(err, ERR_NOT_FOUND, "revision %.*s has no Leader record",
			STR_FMT(member->revision));
	TRY(cli_ask_revoke(leader, member->pod_uid, &body, err));
	TRY(send_patch(o, s, leader, base_buf_str(&body), err));
	(void)printf("functionkey/%.*s: pod %.*s (%.*s) is revoked%s\n", STR_FMT(leader->name),
		STR_FMT(member->pod), STR_FMT(member->pod_uid), how(o));
	if (o->wait && !o->dry_run && crds_key_active(leader))
		TRY(wait_for(s, leader, err));
	return CLI_OK;
}

int cli_revoke(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	struct err why = {0};
	int r = 0;

	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	/* The record changes often: its controller counts. */
	for (int i = 0; i < TRIES_MAX; i++) {
		r = revoke_one(o, &s, &why);
		if (r != -ERR_CONFLICT)
			break;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}
