#include "agent/metrics.h"

#include "agent/app.h"
#include "agent/keeperlink.h"
#include "agent/kick.h"
#include "agent/report.h"
#include "agent/sealing.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/client.h"
#include "pkg/kube/lease.h"

#define SECONDS(ns) ((double)(ns) / 1e9)

static const char *const op_names[] = {"encrypt", "decrypt", "outbound", "inbound", NULL};
static const char *const result_names[] = {"ok", "aborted",
#define TYPE(name, status, class, type, ...) type,
	AGENT_PROBLEMS(TYPE)
#undef TYPE
		NULL};
static const char *const phase_names[] = {
#define TEXT(name, text) text,
	AGENT_PHASES(TEXT)
#undef TEXT
		NULL};
static const char *const path_names[] = {"released", "expired", NULL};
static const char *const key_paths[] = {"cold", "warm", NULL};
static const char *const store_events[] = {"hit", "miss", "evicted", "dropped", NULL};
static const char *const action_results[] = {"ok", "failed", NULL};
static const char *const lease_events[] = {"won", "lost", "renewed", "failed", NULL};
static const char *const keeper_ops[] = {"open", "open-failed", "grant", "accept", "sign", NULL};
static const char *const kick_events[] = {
	"sent", "answered", "dropped", "failed", "received", NULL};
/* In the order of enum agent_vouched and enum agent_sender_result. */
static const char *const sender_results[AGENT_SENDER_RESULTS + 1] = {"verified", "unreadable",
	"unknown", "issuer", "revoked", "no-answer", "none", "refused", NULL};
static const char *const announce_results[] = {
	"delivered", "retried", "failed", "dropped", NULL}; /* enum agent_announce_end, and one */
static const char *const doubt_names[] = {"signature", "continuity", NULL};
static const char *const class_names[] = {
#define TEXT(name, text) text,
	KUBE_CLASSES(TEXT)
#undef TEXT
		NULL};
static const char *const verb_names[] = {
#define TEXT(name, text, method) text,
	KUBE_VERBS(TEXT)
#undef TEXT
		NULL};

enum {
	BUILD,
	MESSAGES,
	DURATION,
	BYTES,
	OPENS,
	PARKED,
	PARKED_TOTAL,
	CACHE,
	WINDOWS,
	READY,
	LEADING,
	EPOCH,
	ROTATION_DUE,
	TERM,
	HELD,
	MEMBERS,
	REFUSED,
	INCARNATION,
	PHASE,
	FAILOVER,
	ACTIONS,
	STEPS,
	LEASE,
	LEASE_SECONDS,
	KEEPER,
	KEEPER_LOCKED,
	KEEPER_SANDBOXED,
	KEEPER_EPOCHS,
	KEEPER_REFUSED,
	KUBE,
	KICKS,
	ANNOUNCED,
	FUNCTIONS,
	WATCHES,
	PINS,
	DOUBTS,
	LOG_DROPPED,
	EXPOSED,
	SENDER,
	CERTIFICATE,
	DEFS
};

static const struct metric_def defs[DEFS] = {
	[BUILD] = {"functionkey_agent_build_info", "Always 1; which version this is.", METRIC_GAUGE,
		.labels = {{"version", .max = 1}}},
	[MESSAGES] = {"functionkey_messages_total", "Messages by operation and result.",
		METRIC_COUNTER,
		.labels = {{"op", .values = op_names}, {"result", .values = result_names}}},
	[DURATION] = {"functionkey_message_duration_seconds",
		"From a message's first byte to its last answer.", METRIC_HISTOGRAM,
		.labels = {{"op", .values = op_names}}, .buckets = base_metric_seconds},
	[BYTES] = {"functionkey_message_bytes_total", "Bytes of plaintext.", METRIC_COUNTER,
		.labels = {{"op", .values = op_names}}},
	[OPENS] = {"functionkey_opens_total",
		"Content secrets found: warm in the cache, cold by the keeper.", METRIC_COUNTER,
		.labels = {{"path", .values = key_paths}}},
	[PARKED] = {"functionkey_parked", "Messages that wait for their key.", METRIC_GAUGE},
	[PARKED_TOTAL] = {"functionkey_parked_total", "Messages that had to wait for their key.",
		METRIC_COUNTER},
	[CACHE] = {"functionkey_secret_cache_total", "Events of the cache of opened secrets.",
		METRIC_COUNTER, .labels = {{"event", .values = store_events}}},
	[WINDOWS] = {"functionkey_key_windows_total", "Events of content-key windows.",
		METRIC_COUNTER, .labels = {{"event", .values = store_events}}},
	[READY] = {"functionkey_ready", "1 if messages for the active key can be opened.",
		METRIC_GAUGE},
	[LEADING] = {"functionkey_leading", "1 if this replica leads its revision.", METRIC_GAUGE},
	[EPOCH] = {"functionkey_epoch", "The revision's active epoch; 0: none.", METRIC_GAUGE},
	[ROTATION_DUE] = {"functionkey_rotation_due_timestamp_seconds",
		"When the active key's period is over, in seconds since 1970; 0: it has none.",
		METRIC_GAUGE},
	[TERM] = {"functionkey_term", "The recorded term.", METRIC_GAUGE},
	[HELD] = {"functionkey_epochs_held", "Epochs that this replica can open.", METRIC_GAUGE},
	[MEMBERS] = {"functionkey_members", "Member records that the leader sees.", METRIC_GAUGE},
	[REFUSED] = {"functionkey_members_refused",
		"Member records that the leader gives no keys to.", METRIC_GAUGE},
	[INCARNATION] = {"functionkey_incarnation", "Keepers that this pod has had.", METRIC_GAUGE},
	[PHASE] = {"functionkey_phase_duration_seconds", "Time that phases of a replica took.",
		METRIC_HISTOGRAM, .labels = {{"phase", .values = phase_names}},
		.buckets = base_metric_seconds},
	[FAILOVER] = {"functionkey_failover_duration_seconds",
		"From the former leader's end, as seen here, to our active key.", METRIC_HISTOGRAM,
		.labels = {{"path", .values = path_names}}, .buckets = base_metric_seconds},
	[ACTIONS] = {"functionkey_actions_total", "What the protocol asked for, by result.",
		METRIC_COUNTER,
		.labels = {{"action", .max = 24}, {"result", .values = action_results}}},
	[STEPS] = {"functionkey_steps_total", "Steps of the protocol.", METRIC_COUNTER},
	[LEASE] = {"functionkey_lease_total", "Events of our part in the election.", METRIC_COUNTER,
		.labels = {{"event", .values = lease_events}}},
	[LEASE_SECONDS] = {"functionkey_lease_renewal_seconds", "How long the last renewal took.",
		METRIC_GAUGE},
	[KEEPER] = {"functionkey_keeper_operations_total", "What the keeper did.", METRIC_COUNTER,
		.labels = {{"op", .values = keeper_ops}}},
	[KEEPER_LOCKED] = {"functionkey_keeper_memory_locked",
		"1 if the keeper's secrets cannot be swapped out.", METRIC_GAUGE},
	[KEEPER_SANDBOXED] = {"functionkey_keeper_sandboxed",
		"1 if the keeper's system calls are filtered.", METRIC_GAUGE},
	[KEEPER_EPOCHS] = {"functionkey_keeper_epochs", "Epochs whose secrets the keeper holds.",
		METRIC_GAUGE},
	[KEEPER_REFUSED] = {"functionkey_keeper_busy_total",
		"Requests that found no place at the keeper.", METRIC_COUNTER},
	[KUBE] = {"functionkey_kube_requests_total", "Requests to the API server.", METRIC_COUNTER,
		.labels = {{"class", .values = class_names}, {"verb", .values = verb_names},
			{"code", .max = KUBE_CODES}}},
	[KICKS] = {"functionkey_kicks_total", "Kicks sent to leaders and received.", METRIC_COUNTER,
		.labels = {{"event", .values = kick_events}}},
	[ANNOUNCED] = {"functionkey_agent_announcements_total",
		"Announcements of new active keys: tries that were delivered, that are made again, "
		"and "
		"that failed for good; those dropped for a newer key or another leader.",
		METRIC_COUNTER, .labels = {{"result", .values = announce_results}}},
	[FUNCTIONS] = {"functionkey_recipients", "Functions that we encrypt to.", METRIC_GAUGE},
	[WATCHES] = {"functionkey_recipient_watches", "Watches of their keys.", METRIC_GAUGE},
	[PINS] = {"functionkey_recipient_pins", "Revisions whose chain of keys is remembered.",
		METRIC_GAUGE},
	[DOUBTS] = {"functionkey_recipient_doubts_total",
		"Recipients' records that were not genuine, or broke the chain.", METRIC_COUNTER,
		.labels = {{"reason", .values = doubt_names}}},
	[EXPOSED] = {"functionkey_function_exposed",
		"1 if the function behind inbound is reached on the pod's address as well.",
		METRIC_GAUGE},
	[SENDER] = {"functionkey_senders_total",
		"Messages by the level that they were signed at, and whether the sender was "
		"verified.",
		METRIC_COUNTER,
		.labels = {{"level", .values = agent_sender_levels},
			{"result", .values = sender_results}}},
	[CERTIFICATE] = {"functionkey_sender_certificate_not_after_timestamp_seconds",
		"End of the last certificate that this replica could sign under, in seconds since "
		"1970; 0: it has had none.",
		METRIC_GAUGE},
	[LOG_DROPPED] = {"functionkey_log_dropped_total", "Log lines that could not be written.",
		METRIC_COUNTER},
};

struct agent_metrics {
	struct metrics *registry;
	uint64_t kicked;
};

int agent_metrics_new(struct agent_metrics **ret_m, struct err *err)
{
	_cleanup_(agent_metrics_free) struct agent_metrics *m = base_alloc(1, sizeof(*m));

	if (!m)
		return FAIL(err, ERR_NOMEM, "metrics");
	TRY(base_metrics_new("functionkey_", &m->registry, err));
	TRY(base_metrics_declare(m->registry, defs, DEFS, err));
	metric_set(m->registry, &defs[BUILD], 1, STR(FUNCTIONKEY_VERSION));
	*ret_m = STEAL(m);
	return 0;
}

struct agent_metrics *agent_metrics_free(struct agent_metrics *m)
{
	if (!m)
		return NULL;
	base_metrics_free(m->registry);
	return base_free(m);
}

struct metrics *agent_metrics_registry(struct agent_metrics *m)
{
	return m->registry;
}

void agent_metrics_message(struct agent_metrics *m, const struct agent_message_end *end)
{
	const struct str op = base_str(op_names[end->op]);
	const char *result = end->aborted   ? "aborted"
			     : end->problem ? agent_problem_row(end->problem)->type
					    : "ok";

	if (!m)
		return;
	metric_add(m->registry, &defs[MESSAGES], 1, op, base_str(result));
	metric_add(m->registry, &defs[BYTES], (double)end->bytes, op);
	metric_observe(m->registry, &defs[DURATION], SECONDS(end->took_ns), op);
}

void agent_metrics_phase(struct agent_metrics *m, enum agent_phase phase, int64_t took_ns)
{
	if (m)
		metric_observe(
			m->registry, &defs[PHASE], SECONDS(took_ns), base_str(phase_names[phase]));
}

void agent_metrics_failover(struct agent_metrics *m, bool released, int64_t took_ns)
{
	if (m)
		metric_observe(m->registry, &defs[FAILOVER], SECONDS(took_ns),
			base_str(path_names[!released]));
}

void agent_metrics_announced(struct agent_metrics *m, enum agent_announce_end end)
{
	if (m)
		metric_add(m->registry, &defs[ANNOUNCED], 1, base_str(announce_results[end]));
}

void agent_metrics_announcement_dropped(struct agent_metrics *m)
{
	if (m)
		metric_add(m->registry, &defs[ANNOUNCED], 1, STR("dropped"));
}

void agent_metrics_exposed(struct agent_metrics *m, bool exposed)
{
	if (m)
		metric_set(m->registry, &defs[EXPOSED], exposed);
}

void agent_metrics_kicked(struct agent_metrics *m)
{
	if (m)
		m->kicked++;
}

/* -- what is read from the parts -- */

/* A counter that is kept elsewhere: it gets what was added there since the last time. */
#define FOLLOW(m, def, now, ...)                                                              \
	metric_add((m), (def),                                                                \
		(double)(now)-metric_get((m), (def)__VA_OPT__(, ) __VA_ARGS__) __VA_OPT__(, ) \
			__VA_ARGS__)

static void read_openings(struct metrics *m, const struct agent_app *app)
{
	const struct agent_openings_stats s = agent_openings_stats(app->openings);

	FOLLOW(m, &defs[OPENS], s.cold, STR("cold"));
	FOLLOW(m, &defs[OPENS], s.warm, STR("warm"));
	FOLLOW(m, &defs[PARKED_TOTAL], s.parked_ever);
	FOLLOW(m, &defs[CACHE], s.cache.hits, STR("hit"));
	FOLLOW(m, &defs[CACHE], s.cache.misses, STR("miss"));
	FOLLOW(m, &defs[CACHE], s.cache.evicted, STR("evicted"));
	FOLLOW(m, &defs[CACHE], s.cache.dropped, STR("dropped"));
	metric_set(m, &defs[PARKED], (double)s.parked);
	for (size_t i = 0; i < ENVELOPE_SENDER_COUNT; i++)
		for (size_t j = 0; j < AGENT_SENDER_RESULTS; j++)
			FOLLOW(m, &defs[SENDER], s.senders[i][j], base_str(agent_sender_levels[i]),
				base_str(sender_results[j]));
}

static void read_senders(struct metrics *m, const struct agent_app *app)
{
	const struct agent_senders_stats s = agent_senders_stats(app->senders);

	FOLLOW(m, &defs[WINDOWS], s.windows.hits, STR("hit"));
	FOLLOW(m, &defs[WINDOWS], s.windows.misses, STR("miss"));
	FOLLOW(m, &defs[WINDOWS], s.windows.evicted, STR("evicted"));
	FOLLOW(m, &defs[WINDOWS], s.windows.dropped, STR("dropped"));
	metric_set(m, &defs[FUNCTIONS], (double)s.functions);
	metric_set(m, &defs[WATCHES], (double)s.watches);
	metric_set(m, &defs[PINS], (double)s.pins);
	for (size_t i = 0; i < AGENT_DOUBT_COUNT; i++)
		FOLLOW(m, &defs[DOUBTS], s.doubts[i], base_str(doubt_names[i]));
}

/* One that is over stays, so that it is seen to be. */
static void read_certificate(struct metrics *m, const struct agent_app *app)
{
	struct agent_bearer bearer;

	if (agent_sealing_bearer(app, &bearer, NULL) == 0)
		metric_set(m, &defs[CERTIFICATE], (double)bearer.exp);
}

static void read_lease(struct metrics *m, const struct kube_lease *lease)
{
	const struct kube_lease_stats *s = kube_lease_stats(lease);

	FOLLOW(m, &defs[LEASE], s->won, STR("won"));
	FOLLOW(m, &defs[LEASE], s->lost, STR("lost"));
	FOLLOW(m, &defs[LEASE], s->renewed, STR("renewed"));
	FOLLOW(m, &defs[LEASE], s->failed, STR("failed"));
	metric_set(m, &defs[LEASE_SECONDS], SECONDS(s->last_renewal_ns));
}

static double rotation_due(const struct crds_functionkey *record)
{
	const struct crds_key *active = record ? crds_key_active(record) : NULL;
	const struct protocol_view v = {
		.leader = record, .revision = record ? record->revision : STR_NULL};

	return active ? SECONDS(protocol_rotation_due_ns(&v, active)) : 0;
}

static void read_replica(struct metrics *m, const struct agent_app *app)
{
	const struct agent_replica_stats *s = agent_replica_stats(app->replica);
	const struct crds_functionkey *record = agent_replica_record(app->replica);

	metric_set(m, &defs[LEADING], agent_replica_leading(app->replica));
	metric_set(m, &defs[TERM], (double)agent_replica_term(app->replica));
	metric_set(m, &defs[EPOCH], record ? (double)record->active_epoch : 0);
	metric_set(m, &defs[ROTATION_DUE], rotation_due(record));
	metric_set(m, &defs[HELD], (double)s->held_epochs);
	metric_set(m, &defs[MEMBERS], (double)s->members);
	metric_set(m, &defs[REFUSED], (double)s->members_refused);
	metric_set(m, &defs[INCARNATION], (double)app->core.self.incarnation);
	FOLLOW(m, &defs[STEPS], s->steps);
	for (int i = 1; i < PROTOCOL_KIND_COUNT; i++) {
		const struct str name = base_str(protocol_kind_name((enum protocol_kind)i));
		if (s->actions[i] == 0)
			continue;
		FOLLOW(m, &defs[ACTIONS], s->actions[i] - s->failures[i], name, STR("ok"));
		FOLLOW(m, &defs[ACTIONS], s->failures[i], name, STR("failed"));
	}
	read_lease(m, agent_replica_lease(app->replica));
}

static void read_keeper(
	struct metrics *m, const struct agent_app *app, const struct kmsg_stats_reply *k)
{
	FOLLOW(m, &defs[KEEPER_REFUSED], agent_keeper_stats(app->core.keeper).refused);
	if (!k)
		return;
	FOLLOW(m, &defs[KEEPER], k->opens, STR("open"));
	FOLLOW(m, &defs[KEEPER], k->open_failures, STR("open-failed"));
	FOLLOW(m, &defs[KEEPER], k->grants, STR("grant"));
	FOLLOW(m, &defs[KEEPER], k->accepts, STR("accept"));
	FOLLOW(m, &defs[KEEPER], k->signatures, STR("sign"));
	metric_set(m, &defs[KEEPER_LOCKED], k->memory_locked);
	metric_set(m, &defs[KEEPER_SANDBOXED], k->sandboxed);
	metric_set(m, &defs[KEEPER_EPOCHS], k->epochs);
}

static void read_client(struct metrics *m, const struct kube_client *client)
{
	const struct kube_stats *s = kube_client_stats(client);

	for (size_t c = 0; c < KUBE_CLASS_COUNT; c++)
		for (size_t v = 0; v < KUBE_VERB_COUNT; v++)
			for (size_t i = 0; i < KUBE_CODES; i++) {
				const char *code = kube_stats_code(i);
				if (s->requests[c][v][i] == 0 || !code)
					continue;
				FOLLOW(m, &defs[KUBE], s->requests[c][v][i],
					base_str(class_names[c]), base_str(verb_names[v]),
					base_str(code));
			}
}

static void read_kicks(struct metrics *m, const struct agent_app *app)
{
	const struct agent_kick_stats s =
		app->core.kicks ? agent_kicks_stats(app->core.kicks) : (struct agent_kick_stats){0};

	FOLLOW(m, &defs[KICKS], s.sent, STR("sent"));
	FOLLOW(m, &defs[KICKS], s.answered, STR("answered"));
	FOLLOW(m, &defs[KICKS], s.dropped, STR("dropped"));
	FOLLOW(m, &defs[KICKS], s.failed, STR("failed"));
	FOLLOW(m, &defs[KICKS], app->metrics->kicked, STR("received"));
}

int agent_metrics_write(const struct agent_app *app, const struct kmsg_stats_reply *keeper,
	struct buf *out, struct err *err)
{
	struct metrics *m = app->metrics->registry;

	metric_set(m, &defs[READY], agent_app_readiness(app).ready);
	if (app->openings)
		read_openings(m, app);
	if (app->replica)
		read_replica(m, app);
	read_senders(m, app);
	read_certificate(m, app);
	read_keeper(m, app, keeper);
	read_client(m, app->core.client);
	read_kicks(m, app);
	FOLLOW(m, &defs[LOG_DROPPED], base_log_dropped(app->core.log));
	return base_metrics_write(m, out, err);
}
