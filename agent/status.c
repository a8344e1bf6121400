#include "agent/status.h"

#include "agent/keeperlink.h"
#include "agent/report.h"
#include "agent/sealing.h"
#include "pkg/base/text.h"
#include "pkg/kube/lease.h"
#include "pkg/kube/patch.h"

#define HEX_MAX  (2 * PRE_POINT_LEN + 1)
#define HOST_MAX 192 /* of a URL with a revision and a namespace */

static int write_hex(
	struct kube_writer *w, const char *key, const uint8_t *p, size_t n, struct err *err)
{
	char hex[HEX_MAX];

	base_hex(p, n, hex);
	return kube_write_key_text(w, key, base_str(hex), err);
}

static int write_time(struct kube_writer *w, const char *key, int64_t wall_ns, struct err *err)
{
	char text[BASE_TIME_LEN];

	if (wall_ns == 0)
		return 0;
	base_time_format(wall_ns, text);
	return kube_write_key_text(w, key, base_str(text), err);
}

static int write_self(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	const struct agent_self *self = &app->core.self;
	const struct agent_options *o = &app->options;

	TRY(kube_write_key_object(w, "self", err));
	TRY(kube_write_key_text(w, "namespace", self->ns, err));
	TRY(kube_write_key_text(w, "function", self->function, err));
	TRY(kube_write_key_text(w, "revision", self->revision, err));
	TRY(kube_write_key_text(w, "pod", self->pod, err));
	TRY(kube_write_key_text(w, "podUID", self->pod_uid, err));
	TRY(kube_write_key_text(w, "record", self->member, err));
	TRY(kube_write_key_int(w, "incarnation", self->incarnation, err));
	TRY(kube_write_key_text(w, "endpoint", self->endpoint, err));
	if (o->owner_kind[0])
		TRY(kube_write_key_text(w, "ownerKind", base_str(o->owner_kind), err));
	if (o->owner_name[0])
		TRY(kube_write_key_text(w, "ownerName", base_str(o->owner_name), err));
	return kube_write_end(w, err);
}

static int write_ready(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	const struct protocol_readiness r = agent_app_readiness(app);

	TRY(kube_write_key_bool(w, "ready", r.ready, err));
	TRY(kube_write_key_text(w, "reason", base_str(r.reason), err));
	TRY(kube_write_key_text(w, "message", base_str(r.message), err));
	return 0;
}

static int write_leader(struct kube_writer *w, struct agent_app *app, struct err *err)
{
	const struct crds_functionkey *record = agent_replica_record(app->replica);
	const struct kube_lease *lease = agent_replica_lease(app->replica);

	TRY(kube_write_key_bool(w, "leading", agent_replica_leading(app->replica), err));
	TRY(kube_write_key_bool(w, "draining", agent_replica_draining(app->replica), err));
	TRY(kube_write_key_int(w, "term", agent_replica_term(app->replica), err));
	if (record && record->has_leader) {
		TRY(kube_write_key_object(w, "leader", err));
		TRY(kube_write_key_text(w, "pod", record->leader.pod, err));
		TRY(kube_write_key_text(w, "podUID", record->leader.pod_uid, err));
		TRY(kube_write_key_int(w, "incarnation", record->leader.incarnation, err));
		TRY(kube_write_key_text(w, "endpoint", record->leader.endpoint, err));
		TRY(kube_write_end(w, err));
	}
	TRY(kube_write_key_object(w, "lease", err));
	TRY(kube_write_key_text(w, "holder", kube_lease_holder(lease), err));
	TRY(kube_write_key_bool(w, "held", kube_lease_held(lease), err));
	TRY(kube_write_key_int(w, "transitions", kube_lease_transitions(lease), err));
	TRY(kube_write_key_int(w, "renewed", (int64_t)kube_lease_stats(lease)->renewed, err));
	TRY(kube_write_key_int(w, "failed", (int64_t)kube_lease_stats(lease)->failed, err));
	return kube_write_end(w, err);
}

static int write_key(
	struct kube_writer *w, struct agent_app *app, const struct crds_key *key, struct err *err)
{
	const struct agent_epoch e = agent_replica_epoch(app->replica, key->fingerprint.b);

	TRY(kube_write_object(w, err));
	TRY(kube_write_key_int(w, "epoch", key->epoch, err));
	TRY(kube_write_key_text(w, "state", base_str(crds_key_state_name(key->state)), err));
	if (key->reason.n)
		TRY(kube_write_key_text(w, "reason", key->reason, err));
	TRY(write_hex(w, "fingerprint", key->fingerprint.b, sizeof(key->fingerprint.b), err));
	TRY(write_hex(w, "publicKey", key->key.b, sizeof(key->key.b), err));
	TRY(kube_write_key_int(w, "term", key->term, err));
	TRY(kube_write_key_bool(w, "opened", e.state == AGENT_EPOCH_OPEN, err));
	TRY(write_time(w, "activated", key->activated_ns, err));
	TRY(write_time(w, "retired", key->retired_ns, err));
	return kube_write_end(w, err);
}

static int write_own_keys(struct kube_writer *w, struct agent_app *app, struct err *err)
{
	const struct crds_functionkey *record =
		app->replica ? agent_replica_record(app->replica) : NULL;

	TRY(kube_write_key_int(w, "epoch", record ? record->active_epoch : 0, err));
	TRY(kube_write_key_list(w, "keys", err));
	for (size_t i = 0; record && i < record->keys_len; i++)
		TRY(write_key(w, app, &record->keys[i], err));
	return kube_write_end(w, err);
}

static int write_targets(struct kube_writer *w, const struct agent_recipients *to, struct err *err)
{
	TRY(kube_write_key_list(w, "recipients", err));
	for (size_t i = 0; to && i < to->n; i++) {
		const struct envelope_target *t = &to->v[i];
		const struct pre_fingerprint fp = pre_fingerprint(&t->key);
		const size_t slash = base_str_find(t->name, '/', 0);
		TRY(kube_write_object(w, err));
		TRY(kube_write_key_text(
			w, "revision", base_str_sub(t->name, slash + 1, t->name.n), err));
		TRY(kube_write_key_int(w, "epoch", (int64_t)t->epoch, err));
		TRY(write_hex(w, "fingerprint", fp.b, sizeof(fp.b), err));
		TRY(write_hex(w, "publicKey", t->key.b, sizeof(t->key.b), err));
		TRY(kube_write_end(w, err));
	}
	return kube_write_end(w, err);
}

/* At most so many, newest or oldest as they come: the rest is a number. */
#define ROWS_MAX 256

static int write_sender(
	struct kube_writer *w, const struct agent_sender_row *row, bool watch, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "namespace", row->ns, err));
	TRY(kube_write_key_text(w, "function", row->function, err));
	if (watch)
		TRY(kube_write_key_text(w, "watch", base_str(row->watch), err));
	TRY(write_targets(w, row->to, err));
	return kube_write_end(w, err);
}

static int write_senders(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	struct agent_sender_row row;
	size_t at = 0;

	TRY(kube_write_key_list(w, "functions", err));
	for (size_t n = 0; n < ROWS_MAX && agent_senders_next(app->senders, &at, &row); n++)
		TRY(write_sender(w, &row, true, err));
	return kube_write_end(w, err);
}

static int write_senders_stats(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	const struct agent_senders_stats s = agent_senders_stats(app->senders);

	TRY(kube_write_key_object(w, "sending", err));
	TRY(kube_write_key_int(w, "functions", (int64_t)s.functions, err));
	TRY(kube_write_key_int(w, "watches", (int64_t)s.watches, err));
	TRY(kube_write_key_int(w, "windows", (int64_t)s.windows.live, err));
	TRY(kube_write_key_int(w, "notGenuine", (int64_t)s.doubts[AGENT_DOUBT_SIGNATURE], err));
	TRY(kube_write_key_int(
		w, "continuityBroken", (int64_t)s.doubts[AGENT_DOUBT_CONTINUITY], err));
	return kube_write_end(w, err);
}

static int write_sender_auth(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	struct agent_bearer bearer;
	struct err missing = {0};

	TRY(kube_write_key_object(w, "sender", err));
	TRY(kube_write_key_text(
		w, "level", base_str(agent_sender_levels[app->options.sender]), err));
	if (agent_sealing_bearer(app, &bearer, &missing) < 0) {
		TRY(kube_write_key_text(w, "missing", base_str(missing.msg), err));
		return kube_write_end(w, err);
	}
	TRY(kube_write_key_object(w, "certificate", err));
	TRY(kube_write_key_int(w, "issuerEpoch", bearer.epoch, err));
	TRY(kube_write_key_int(w, "issuerTerm", bearer.term, err));
	TRY(write_time(w, "notAfter", bearer.exp * NS_PER_S, err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

static int write_keeper(struct kube_writer *w, const struct kmsg_stats_reply *k, struct err *err)
{
	TRY(kube_write_key_object(w, "keeper", err));
	TRY(kube_write_key_bool(w, "answers", k != NULL, err));
	if (k) {
		TRY(kube_write_key_int(w, "epochs", k->epochs, err));
		TRY(kube_write_key_int(w, "opens", (int64_t)k->opens, err));
		TRY(kube_write_key_int(w, "openFailures", (int64_t)k->open_failures, err));
		TRY(kube_write_key_int(w, "grants", (int64_t)k->grants, err));
		TRY(kube_write_key_int(w, "accepts", (int64_t)k->accepts, err));
		TRY(kube_write_key_bool(w, "memoryLocked", k->memory_locked != 0, err));
		TRY(kube_write_key_bool(w, "sandboxed", k->sandboxed != 0, err));
	}
	return kube_write_end(w, err);
}

static int write_openings(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	const struct agent_openings_stats s = agent_openings_stats(app->openings);

	TRY(kube_write_key_object(w, "opening", err));
	TRY(kube_write_key_int(w, "cold", (int64_t)s.cold, err));
	TRY(kube_write_key_int(w, "warm", (int64_t)s.warm, err));
	TRY(kube_write_key_int(w, "parked", (int64_t)s.parked, err));
	TRY(kube_write_key_int(w, "cached", (int64_t)s.cache.live, err));
	return kube_write_end(w, err);
}

static int write_troubles(struct kube_writer *w, const struct agent_app *app, struct err *err)
{
	TRY(kube_write_key_int(w, "abortedStreams", (int64_t)app->journal.aborted, err));
	TRY(kube_write_key_list(w, "troubles", err));
	for (size_t i = 0; agent_journal_at(&app->journal, i); i++) {
		const struct agent_note *note = agent_journal_at(&app->journal, i);
		TRY(kube_write_object(w, err));
		TRY(write_time(w, "time", note->wall_ns, err));
		TRY(kube_write_key_text(w, "what", base_str(note->what), err));
		TRY(kube_write_key_text(
			w, "type", base_str(agent_problem_row(note->problem)->type), err));
		TRY(kube_write_key_bool(w, "aborted", note->aborted, err));
		TRY(kube_write_key_text(w, "detail", base_str(note->text), err));
		TRY(kube_write_end(w, err));
	}
	return kube_write_end(w, err);
}

int agent_status_write(struct agent_app *app, const struct kmsg_stats_reply *keeper,
	struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "version", STR(FUNCTIONKEY_VERSION), err));
	TRY(kube_write_key_int(&w, "uptimeSeconds",
		(base_boot_ns(&app->core.env) - app->core.started_ns) / NS_PER_S, err));
	TRY(write_self(&w, app, err));
	TRY(write_ready(&w, app, err));
	if (app->replica) {
		TRY(write_leader(&w, app, err));
		TRY(kube_write_key_text(
			&w, "lastFailure", agent_replica_trouble(app->replica), err));
	}
	TRY(write_own_keys(&w, app, err));
	TRY(write_keeper(&w, keeper, err));
	if (app->openings)
		TRY(write_openings(&w, app, err));
	TRY(write_sender_auth(&w, app, err));
	TRY(write_senders_stats(&w, app, err));
	TRY(write_senders(&w, app, err));
	TRY(write_troubles(&w, app, err));
	TRY(kube_write_end(&w, err));
	return base_buf_add_byte(out, '\n', err);
}

int agent_keys_write(struct agent_app *app, struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "namespace", app->core.self.ns, err));
	TRY(kube_write_key_text(&w, "function", app->core.self.function, err));
	TRY(kube_write_key_text(&w, "revision", app->core.self.revision, err));
	TRY(write_own_keys(&w, app, err));
	TRY(write_senders(&w, app, err));
	TRY(kube_write_end(&w, err));
	return base_buf_add_byte(out, '\n', err);
}

int agent_function_keys_write(struct str ns, struct str function, const struct agent_recipients *to,
	struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "namespace", ns, err));
	TRY(kube_write_key_text(&w, "function", function, err));
	TRY(write_targets(&w, to, err));
	TRY(kube_write_end(&w, err));
	return base_buf_add_byte(out, '\n', err);
}

/* -- endpoints.json -- */

#define ENDPOINTS_FUNCTIONS_MAX 64
#define ENDPOINTS_BYTES_MAX     (96u << 10) /* of the rows of functions begin before that */

/* What does not change. */
static int write_fixed(struct kube_writer *w, struct agent_app *app, struct err *err)
{
	const struct agent_self *self = &app->core.self;
	char url[HOST_MAX];

	TRY(kube_write_key_text(w, "namespace", self->ns, err));
	TRY(kube_write_key_text(w, "function", self->function, err));
	TRY(kube_write_key_text(w, "revision", self->revision, err));
	TRY(kube_write_key_text(w, "pod", self->pod, err));
	TRY(kube_write_key_text(w, "socket", base_str(app->options.socket), err));
	TRY(kube_write_key_text(w, "url", STR("http://localhost"), err));
	(void)snprintf(url, sizeof(url), "http://%.*s-leader.%.*s.svc:%d", STR_FMT(self->revision),
		STR_FMT(self->ns), AGENT_PEER_PORT);
	TRY(kube_write_key_text(w, "leaderURL", base_str(url), err));
	if (app->options.outbound[0]) {
		(void)snprintf(url, sizeof(url), "http://%s/to", app->options.local_address);
		TRY(kube_write_key_text(w, "outboundURL", base_str(url), err));
	}
	if (app->options.next[0])
		TRY(kube_write_key_text(w, "next", base_str(app->options.next), err));
	return 0;
}

static int write_now(struct kube_writer *w, struct agent_app *app, struct err *err)
{
	const struct crds_functionkey *record =
		app->replica ? agent_replica_record(app->replica) : NULL;
	const struct crds_key *active = record ? crds_key_active(record) : NULL;
	const struct protocol_readiness ready = agent_app_readiness(app);

	TRY(kube_write_key_bool(w, "ready", ready.ready, err));
	TRY(kube_write_key_text(w, "reason", base_str(ready.reason), err));
	TRY(kube_write_key_bool(
		w, "leading", app->replica && agent_replica_leading(app->replica), err));
	if (record && record->has_leader) {
		TRY(kube_write_key_object(w, "leader", err));
		TRY(kube_write_key_text(w, "pod", record->leader.pod, err));
		TRY(kube_write_key_text(w, "endpoint", record->leader.endpoint, err));
		TRY(kube_write_key_int(w, "term", record->leader.term, err));
		TRY(kube_write_end(w, err));
	}
	TRY(kube_write_key_int(w, "epoch", active ? active->epoch : 0, err));
	if (!active)
		return 0;
	TRY(write_hex(w, "fingerprint", active->fingerprint.b, sizeof(active->fingerprint.b), err));
	return write_hex(w, "publicKey", active->key.b, sizeof(active->key.b), err);
}

static int write_recipients(
	struct kube_writer *w, struct agent_app *app, const struct buf *out, struct err *err)
{
	struct agent_sender_row row;
	int64_t more = 0;
	size_t at = 0;

	TRY(kube_write_key_list(w, "functions", err));
	for (size_t n = 0; agent_senders_next(app->senders, &at, &row);) {
		if (n == ENDPOINTS_FUNCTIONS_MAX || out->len > ENDPOINTS_BYTES_MAX) {
			more++;
			continue;
		}
		agent_senders_choose(app->senders, &row);
		TRY(write_sender(w, &row, false, err));
		n++;
	}
	TRY(kube_write_end(w, err));
	return kube_write_key_int(w, "moreFunctions", more, err);
}

int agent_endpoints_write(struct agent_app *app, struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(write_fixed(&w, app, err));
	TRY(write_now(&w, app, err));
	TRY(write_recipients(&w, app, out, err));
	TRY(kube_write_end(&w, err));
	return base_buf_add_byte(out, '\n', err);
}

int agent_ready_write(const struct agent_app *app, struct buf *out, struct err *err)
{
	const struct protocol_readiness r = agent_app_readiness(app);

	if (r.ready)
		return base_buf_add_str(out, STR("ready\n"), err);
	return base_buf_addf(out, err, "not ready: %s: %s\n", r.reason, r.message);
}
