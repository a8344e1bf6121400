/* What goes wrong, and what people ask for, at random times. */
#include "sim/world.h"

#include <stdio.h>

static struct sim_replica *any(struct sim_world *w)
{
	size_t left = (size_t)sim_between(w, 1, (int64_t)w->replicas_len);

	/* The left-th living one, going round. */
	for (size_t i = 0; i < w->replicas_len * w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i % w->replicas_len];
		if (r->alive && !r->draining && --left == 0)
			return r;
	}
	return NULL;
}

static size_t living(const struct sim_world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->replicas_len; i++)
		n += w->replicas[i].alive && !w->replicas[i].draining && !w->replicas[i].revoked;
	return n;
}

static void half_crashes(struct sim_world *w, struct sim_replica *r)
{
	sim_half_kill(r, sim_between(w, NS_PER_MS, 3 * NS_PER_S));
}

static void keeper_crashes(struct sim_world *w, struct sim_replica *r)
{
	sim_keeper_kill(r, sim_between(w, NS_PER_MS, 3 * NS_PER_S));
}

static void add(void *ctx)
{
	(void)sim_replica_add(ctx);
}

static void pod_dies(struct sim_world *w, struct sim_replica *r)
{
	sim_replica_kill(r);
	sim_after(w, NULL, sim_between(w, 0, 10 * NS_PER_S), add, w);
}

static void drains(void *ctx)
{
	sim_replica_drain(ctx);
}

/* The controller sees the deletion first, or is away; then the kubelet tells the agent. */
static void pod_drains(struct sim_world *w, struct sim_replica *r)
{
	if (sim_once_in(w, 2))
		sim_replica_see_off(r);
	sim_after(w, NULL, sim_between(w, 0, 2 * NS_PER_S), drains, r);
	sim_after(w, NULL, sim_between(w, 0, 10 * NS_PER_S), add, w);
}

static void pod_joins(struct sim_world *w, struct sim_replica *r)
{
	(void)r;
	if (living(w) < 6)
		add(w);
}

static void pod_leaves(struct sim_world *w, struct sim_replica *r)
{
	if (living(w) > 1)
		sim_replica_kill(r);
}

static void pod_stands_still(struct sim_world *w, struct sim_replica *r)
{
	r->paused_until = w->now + sim_between(w, NS_PER_S / 10, 45 * NS_PER_S);
}

static void pod_is_cut_off(struct sim_world *w, struct sim_replica *r)
{
	r->cut_until = w->now + sim_between(w, NS_PER_S / 10, 45 * NS_PER_S);
}

static void server_fails(struct sim_world *w, struct sim_replica *r)
{
	(void)r;
	w->trouble_until = w->now + sim_between(w, NS_PER_S / 10, 35 * NS_PER_S);
}

static void ask_for_a_key(struct sim_world *w, const struct crds_functionkey *leader)
{
	char patch[128];

	(void)snprintf(patch, sizeof(patch), "{\"spec\":{\"rotation\":{\"afterEpoch\":%lld}}}",
		(long long)leader->active_epoch);
	sim_edit(w, SIM_REVISION, "", patch);
}

/* By kubectl functionkey retire. */
static void ask_for_an_end(struct sim_world *w, const struct crds_functionkey *leader)
{
	char patch[128];

	(void)snprintf(patch, sizeof(patch), "{\"spec\":{\"eraseThrough\":%lld}}",
		(long long)(leader->active_epoch - 1));
	if (leader->active_epoch - 1 > leader->erase_through)
		sim_edit(w, SIM_REVISION, "", patch);
}

/* By kubectl functionkey revoke, which asks for a key, too; or by somebody who only edits the list.
 */
static void take_out(
	struct sim_world *w, struct sim_replica *r, const struct crds_functionkey *leader)
{
	_cleanup_(base_buf_done) struct buf patch = base_buf(4096);
	const bool asks = sim_once_in(w, 2);
	int bad = base_buf_addf(&patch, NULL, "{\"spec\":{\"revoked\":[");

	r->revoked = true;
	r->refused_from = w->now + sim_between(w, 0, 2 * NS_PER_S);
	for (size_t i = 0; i < leader->revoked_len; i++)
		bad |= base_buf_addf(&patch, NULL, "\"%.*s\",", STR_FMT(leader->revoked[i]));
	bad |= base_buf_addf(&patch, NULL, "\"%s\"]", r->uid);
	if (asks)
		bad |= base_buf_addf(&patch, NULL, ",\"rotation\":{\"afterEpoch\":%lld}",
			(long long)leader->active_epoch);
	bad |= base_buf_add_str(&patch, base_str_n("}}\0", 3), NULL);
	base_assert(bad == 0);
	if (w->options.plant != SIM_UNTOLD)
		sim_edit(w, SIM_REVISION, "", (const char *)patch.data);
}

static void rotate(struct sim_world *w, struct sim_replica *r)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader =
		sim_record(w, STR(SIM_REVISION));

	if (!leader || !leader->active_epoch)
		return;
	if (r && r->there && !r->revoked && !w->options.late && living(w) > 1 && sim_once_in(w, 4))
		take_out(w, r, leader);
	else if (sim_once_in(w, 6))
		ask_for_an_end(w, leader);
	else
		ask_for_a_key(w, leader);
}

static struct sim_replica *leading(struct sim_world *w)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader =
		sim_record(w, STR(SIM_REVISION));

	return leader && leader->has_leader ? sim_replica_by_uid(w, leader->leader.pod_uid) : NULL;
}

/* Just long enough, or nearly, to lose the Lease. */
static void leader_stands_still(struct sim_world *w, struct sim_replica *r)
{
	struct sim_replica *leader = leading(w);

	(void)r;
	if (leader && sim_once_in(w, 2))
		leader->cut_until = w->now + sim_between(w, 19 * NS_PER_S, 40 * NS_PER_S);
	else if (leader)
		leader->paused_until = w->now + sim_between(w, 19 * NS_PER_S, 40 * NS_PER_S);
}

/* What it writes arrives when others may lead already. */
static void leader_is_slow(struct sim_world *w, struct sim_replica *r)
{
	struct sim_replica *leader = leading(w);

	if (leader)
		leader->slow_until = w->now + sim_between(w, NS_PER_S, 40 * NS_PER_S);
	r->slow_until = w->now + sim_between(w, NS_PER_S, 40 * NS_PER_S);
	rotate(w, r);
}

static void strike(void *ctx)
{
	static void (*const kinds[])(struct sim_world *, struct sim_replica *) = {half_crashes,
		half_crashes, keeper_crashes, pod_dies, pod_drains, pod_joins, pod_leaves,
		pod_stands_still, pod_is_cut_off, server_fails, rotate, rotate, leader_is_slow,
		leader_stands_still};
	struct sim_world *w = ctx;
	const int64_t which = sim_between(w, 0, (int64_t)ARRAY_LEN(kinds) - 1);
	struct sim_replica *r = any(w);

	if (!w->faulty)
		return;
	if (w->replicas_len < SIM_REPLICAS_MAX - 6 && r) {
		w->stats.faults++;
		if (w->options.trace)
			(void)fprintf(stderr, "%8lld ms fault %lld at %s\n",
				(long long)(w->now / NS_PER_MS), (long long)which, r->pod);
		(w->options.late ? leader_is_slow : kinds[which])(w, r);
	}
	sim_after(w, NULL, sim_between(w, NS_PER_MS, 12 * NS_PER_S), strike, w);
}

void sim_faults_start(struct sim_world *w)
{
	w->faulty = true;
	sim_after(w, NULL, sim_between(w, 0, 5 * NS_PER_S), strike, w);
}

void sim_faults_end(struct sim_world *w)
{
	w->faulty = false;
	sim_edit(w, SIM_REVISION, "", "{\"spec\":{\"rotation\":{\"period\":\"0s\"}}}");
	w->trouble_until = 0;
	for (size_t i = 0; i < w->replicas_len; i++)
		w->replicas[i].cut_until = w->replicas[i].paused_until = w->replicas[i].slow_until =
			0;
	while (living(w) < 1 && sim_replica_add(w))
		;
}
