/* Pods, their keepers and network halves: born, killed, started anew. */
#include "sim/world.h"

#include "agent/keeperlink.h"
#include "pkg/base/alloc.h"

#include <stdio.h>

static int64_t half_boot(void *ctx)
{
	const struct kube_client *half = ctx;

	return half->world->now;
}

static int64_t half_wall(void *ctx)
{
	const struct kube_client *half = ctx;

	return base_wall_ns(&half->world->env) + half->replica->wall_skew_ns;
}

static void start_half(void *ctx)
{
	struct sim_replica *r = ctx;

	if (r->alive && !r->half)
		sim_half_start(r);
}

static int64_t incarnation_of(struct sim_replica *r)
{
	const struct kmsg_request held = {.op = KMSG_HELD};
	struct kmsg_reply reply = {0};

	keeper_handle(r->keeper, &held, &reply);
	if (reply.held.incarnation)
		return reply.held.incarnation;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *own =
		sim_record(r->world, base_str(r->member));
	return own ? own->incarnation + 1 : 1;
}

/* agent/identify.c asks the API server; a world in which that fails has nothing to show yet. */
static void begin(struct kube_client *half)
{
	struct sim_replica *r = half->replica;
	struct agent_core *core = &half->core;
	struct err err = {0};

	*core = (struct agent_core){.env = half->env,
		.loop = &half->loop,
		.client = half,
		.pre = r->world->pre,
		.keeper = (struct agent_keeper *)half,
		.lease_duration_s = 30,
		.lease_deadline_s = 20,
		.lease_retry_s = 10,
		.started_ns = r->world->now};
	core->self = (struct agent_self){.ns = STR(SIM_NS),
		.revision = STR(SIM_REVISION),
		.function = STR("orders"),
		.pod = base_str(r->pod),
		.pod_uid = base_str(r->uid),
		.incarnation = incarnation_of(r),
		.endpoint = base_str(r->endpoint),
		.member = base_str(r->member)};
	(void)snprintf(half->identity, sizeof(half->identity), "%s_%s_%lld", r->pod, r->uid,
		(long long)core->self.incarnation);
	core->self.identity = base_str(half->identity);
	if (agent_replica_new(core, &half->agent, &err) < 0)
		sim_fail(r->world, "%s does not start: %s", r->pod, err.msg);
}

void sim_half_start(struct sim_replica *r)
{
	struct kube_client *half = base_alloc(1, sizeof(*half));

	base_assert(half);
	*half = (struct kube_client){.world = r->world, .replica = r, .next = r->world->halves};
	r->world->halves = half;
	half->env = (struct env){.clock = {.ctx = half, .boot_ns = half_boot, .wall_ns = half_wall},
		.rng = r->world->env.rng};
	r->half = half;
	begin(half);
}

void sim_half_kill(struct sim_replica *r, int64_t again)
{
	struct kube_client *half = r->half;

	if (half) {
		sim_link_end(half);
		agent_replica_free(half->agent);
		half->agent = NULL;
		sim_link_drop(r->world, half);
		sim_forget_half(r->world, half);
		r->half = NULL;
	}
	if (again >= 0)
		sim_after(r->world, NULL, again, start_half, r);
}

static bool new_keeper(struct sim_replica *r)
{
	struct err err = {0};

	if (keeper_new(&r->world->env, &r->keeper, &err) == 0)
		return true;
	sim_fail(r->world, "no keeper: %s", err.msg);
	return false;
}

void sim_keeper_kill(struct sim_replica *r, int64_t again)
{
	sim_half_kill(r, -1);
	r->keeper = keeper_free(r->keeper);
	memset(r->held, 0, sizeof(r->held));
	r->accepted_term = r->checked_epoch = 0;
	if (new_keeper(r))
		sim_after(r->world, NULL, again, start_half, r);
}

/* The controller has noticed: the Lease of the dead is emptied, its record collected. */
/* What the controller writes to the Lease. */
static void put_lease(struct sim_world *w, struct json_object *doc)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(1u << 16);
	const struct kube_resource leases = {.plural = "leases"};
	const struct kube_request put = {.verb = KUBE_UPDATE,
		.resource = &leases,
		.name = STR(SIM_LEASE),
		.body = base_str(json_object_to_json_string(doc))};
	struct err err = {0};

	if (sim_serve(w, NULL, &put, &body, &err) < 0)
		sim_fail(w, "the controller cannot write the Lease: %s", err.msg);
	json_object_put(doc);
}

/* A copy of the Lease if the replica holds it; else NULL. */
static struct json_object *held_lease(struct sim_replica *r)
{
	struct sim_object *lease = sim_object(r->world, STR(SIM_LEASE), true);
	struct json_object *holder = NULL;
	struct json_object *doc = NULL;

	base_assert(json_pointer_get(lease->doc, "/spec/holderIdentity", &holder) == 0);
	if (!base_str_starts(base_str(json_object_get_string(holder)), base_str(r->pod)))
		return NULL;
	base_assert(json_object_deep_copy(lease->doc, &doc, NULL) == 0);
	return doc;
}

void sim_replica_see_off(struct sim_replica *r)
{
	struct json_object *notes = json_object_new_object();
	struct json_object *doc = held_lease(r);

	if (!doc) {
		json_object_put(notes);
		return;
	}
	(void)json_object_object_add(notes, CRDS_LEAVING_NOTE, json_object_new_string(r->uid));
	(void)json_pointer_set(&doc, "/metadata/annotations", notes);
	put_lease(r->world, doc);
}

void sim_replica_bury(struct sim_replica *r, bool release)
{
	struct json_object *doc = NULL;

	r->there = false;
	sim_delete(r->world, base_str(r->member));
	doc = release ? held_lease(r) : NULL;
	if (!doc)
		return;
	(void)json_pointer_set(&doc, "/spec/holderIdentity", json_object_new_string(""));
	(void)json_pointer_set(&doc, "/spec/leaseDurationSeconds", json_object_new_int(1));
	put_lease(r->world, doc);
}

static void bury(void *ctx)
{
	struct sim_replica *r = ctx;

	if (r->there)
		sim_replica_bury(r, !sim_once_in(r->world, 3));
}

void sim_replica_kill(struct sim_replica *r)
{
	if (!r->alive)
		return;
	sim_half_kill(r, -1);
	r->alive = false;
	r->keeper = keeper_free(r->keeper);
	sim_after(r->world, NULL, sim_between(r->world, NS_PER_MS, 5 * NS_PER_S), bury, r);
}

static void ends(void *ctx)
{
	sim_replica_kill(ctx);
}

static void drained(void *ctx)
{
	(void)ctx;
}

void sim_replica_drain(struct sim_replica *r)
{
	if (r->draining || !r->half || !r->half->agent)
		return;
	r->draining = true;
	agent_replica_drain(r->half->agent, drained, r);
	sim_after(r->world, NULL, sim_between(r->world, NS_PER_S / 10, 10 * NS_PER_S), ends, r);
}

struct sim_replica *sim_replica_add(struct sim_world *w)
{
	if (w->replicas_len == SIM_REPLICAS_MAX)
		return NULL;
	struct sim_replica *r = &w->replicas[w->replicas_len];
	*r = (struct sim_replica){
		.world = w, .index = w->replicas_len, .alive = true, .there = true};
	w->replicas_len++;
	(void)snprintf(r->pod, sizeof(r->pod), "orders-%02zu", r->index);
	(void)snprintf(r->uid, sizeof(r->uid), "%08zx-2222-4222-8222-222222222222", r->index + 1);
	(void)snprintf(r->endpoint, sizeof(r->endpoint), "10.0.0.%zu:9471", r->index + 1);
	base_assert(crds_member_name(base_str(r->pod), base_str(r->uid), r->member, NULL) == 0);
	r->wall_skew_ns = sim_between(w, -2 * NS_PER_S, 2 * NS_PER_S);
	if (new_keeper(r))
		sim_after(w, NULL, sim_between(w, 0, 2 * NS_PER_S), start_half, r);
	return r;
}

struct sim_replica *sim_replica_by_uid(struct sim_world *w, struct str uid)
{
	for (size_t i = 0; i < w->replicas_len; i++)
		if (base_str_eq(base_str(w->replicas[i].uid), uid))
			return &w->replicas[i];
	return NULL;
}
