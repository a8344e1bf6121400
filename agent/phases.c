#include "agent/phases.h"

#include "pkg/base/log.h"

static void report(struct agent_phases *p, enum agent_phase phase, const char *name, int64_t took)
{
	agent_metrics_phase(p->app->metrics, phase, took);
	log_write(p->app->core.log, LOG_INFO, "a phase ended", LOG_STR("phase", base_str(name)),
		LOG_DUR("took", took));
}

static void see_ready(struct agent_phases *p, int64_t now)
{
	if (p->was_ready || !agent_app_readiness(p->app).ready)
		return;
	p->was_ready = true;
	report(p, AGENT_PHASE_READY, "ready", now - p->app->core.started_ns);
}

static void see_leadership(struct agent_phases *p)
{
	const struct agent_replica_stats *s = agent_replica_stats(p->app->replica);

	if (s->won_ns != p->won_ns) {
		p->won_ns = s->won_ns;
		p->active_ns = 0;
		const int64_t from = s->emptied_ns ? s->emptied_ns : p->app->core.started_ns;
		if (s->emptied_ns || p->won_ns - from < 60 * NS_PER_S)
			report(p, AGENT_PHASE_ELECTED, "elected", p->won_ns - from);
	}
	if (s->active_ns && s->active_ns != p->active_ns) {
		const bool released = s->emptied_ns && s->emptied_ns <= p->won_ns;
		p->active_ns = s->active_ns;
		report(p, AGENT_PHASE_PUBLISHED, "published", p->active_ns - p->won_ns);
		agent_metrics_failover(p->app->metrics, released,
			p->active_ns - (released ? s->emptied_ns : p->won_ns));
	}
}

static void see_key(struct agent_phases *p, int64_t now)
{
	const struct crds_functionkey *record = agent_replica_record(p->app->replica);
	const struct crds_key *active = record ? crds_key_active(record) : NULL;

	if (!active)
		return;
	const bool open = agent_replica_epoch(p->app->replica, active->fingerprint.b).state ==
			  AGENT_EPOCH_OPEN;
	if (!open && p->new_epoch != active->epoch) {
		p->new_epoch = active->epoch;
		p->new_since_ns = now;
	} else if (open && p->new_epoch == active->epoch) {
		p->new_epoch = 0;
		report(p, AGENT_PHASE_REKEYED, "rekeyed", now - p->new_since_ns);
	}
}

static void changed(void *ctx)
{
	struct agent_phases *p = ctx;
	const int64_t now = base_boot_ns(&p->app->core.env);

	see_leadership(p);
	see_key(p, now);
	see_ready(p, now);
}

void agent_phases_begin(struct agent_phases *p, struct agent_app *app)
{
	*p = (struct agent_phases){.app = app, .watcher = {.changed = changed, .ctx = p}};
	agent_replica_watch(app->replica, &p->watcher);
}

void agent_phases_end(struct agent_phases *p)
{
	if (p->app && p->app->replica)
		agent_replica_unwatch(p->app->replica, &p->watcher);
}
