#include "agent/replica_internal.h"

#include "pkg/base/log.h"

static void follow(struct agent_replica *r, bool members)
{
	struct err err = {0};

	if (agent_records_follow_members(r->records, members, &err) < 0)
		log_write(r->core->log, LOG_ERROR, "cannot watch the members of the revision",
			LOG_ERR("error", &err));
}

/* Who may lead in a moment reads the members meanwhile. */
static void lease_tried(void *ctx)
{
	follow(ctx, true);
}

static void lease_won(void *ctx, int32_t transitions)
{
	struct agent_replica *r = ctx;
	char former[CRDS_LEADERSHIP_MAX];

	r->stats.won_ns = base_boot_ns(&r->core->env);
	r->stats.active_ns = 0;
	log_write(r->core->log, LOG_INFO, "won the lease",
		LOG_STR("former", agent_replica_leadership(r, former)),
		LOG_INT("transitions", transitions));
	follow(r, true);
	agent_replica_wake(r);
}

static void lease_lost(void *ctx, const char *reason)
{
	struct agent_replica *r = ctx;
	char leadership[CRDS_LEADERSHIP_MAX];

	log_write(r->core->log, LOG_WARN, "lost the lease",
		LOG_STR("leadership", agent_replica_leadership(r, leadership)),
		LOG_STR("reason", base_str(reason)));
	follow(r, false);
	agent_replica_wake(r);
}

static void lease_holder(void *ctx, struct str holder, int32_t transitions)
{
	struct agent_replica *r = ctx;

	log_write(r->core->log, LOG_DEBUG, "the lease has a holder", LOG_STR("holder", holder),
		LOG_INT("transitions", transitions));
	if (holder.n == 0) {
		r->stats.emptied_ns = base_boot_ns(&r->core->env);
	} else if (!base_str_eq(holder, r->core->self.identity)) {
		r->stats.emptied_ns = 0;
		follow(r, false);
	}
	agent_replica_wake(r);
}

/* The controller sees the deletion of our pod before the kubelet tells us to drain. */
static void lease_seen(void *ctx)
{
	struct agent_replica *r = ctx;
	const struct str leaving = kube_lease_annotation(r->lease, CRDS_LEAVING_NOTE);

	if (r->leaving || !base_str_eq(leaving, r->core->self.pod_uid))
		return;
	r->leaving = true;
	log_write(r->core->log, LOG_INFO, "our pod is being deleted: handing the lease over");
	agent_replica_wake(r);
}

static void lease_trouble(void *ctx, const struct err *err)
{
	struct agent_replica *r = ctx;

	agent_replica_note(r, "lease", err);
	log_write(r->core->log, LOG_WARN, "the lease cannot be read or written",
		LOG_ERR("error", err));
}

int agent_replica_run_lease(struct agent_replica *r, struct err *err)
{
	static const struct kube_lease_handler handler = {.on_try = lease_tried,
		.on_won = lease_won,
		.on_lost = lease_lost,
		.on_holder = lease_holder,
		.on_seen = lease_seen,
		.on_trouble = lease_trouble};
	char name[CRDS_NAME_MAX];
	const struct agent_core *core = r->core;
	struct kube_lease *lease = NULL;

	(void)snprintf(name, sizeof(name), CRDS_LEASE_PREFIX "%.*s", STR_FMT(core->self.revision));
	const struct kube_lease_options options = {
		.ns = core->self.ns,
		.name = base_str(name),
		.identity = core->self.identity,
		.times = {.duration_ns = core->lease_duration_s * NS_PER_S,
			.renew_deadline_ns = core->lease_deadline_s * NS_PER_S,
			.retry_ns = core->lease_retry_s * NS_PER_S},
		.field_manager = AGENT_FIELD_MANAGER,
		.will = KUBE_LEASE_LATE, /* until the first step */
		.may_create = false,
	};
	TRY(kube_lease_run(core->client, &options, &handler, r, &lease, err));
	kube_lease_free(r->lease);
	r->lease = lease;
	return 0;
}
