/* What lies between a network half and its keeper, and kicks between agents. These definitions take
 * the place of agent/keeperlink.c and agent/kick.c. */
#include "sim/world.h"

#include "agent/keeperlink.h"
#include "agent/kick.h"
#include "pkg/base/alloc.h"

/* -- the keeper -- */

struct sim_ask {
	struct kube_client *half;
	struct kmsg_request request;
	struct kmsg_reply reply;
	agent_keeper_done done;
	void *ctx;
};

static void answer(void *ctx)
{
	struct sim_ask *a = ctx;
	struct err err = {0};

	if (a->reply.status)
		(void)FAIL(&err, a->reply.status, "keeper: %s", a->reply.message);
	a->done(a->ctx, a->reply.status ? NULL : &a->reply, a->reply.status ? &err : NULL);
	base_free(a);
}

static void handle(void *ctx)
{
	struct sim_ask *a = ctx;
	struct sim_replica *r = a->half->replica;

	keeper_handle(r->keeper, &a->request, &a->reply);
	sim_check_keeper(r, &a->request, &a->reply);
	sim_after(r->world, a->half, NS_PER_MS / 10, answer, a);
}

int agent_keeper_request(struct agent_keeper *k, const struct kmsg_request *request,
	agent_keeper_done done, void *ctx, struct err *err)
{
	struct kube_client *half = (struct kube_client *)k;
	struct sim_replica *r = half->replica;
	struct sim_world *w = r->world;

	if (half->dead)
		return FAIL(err, ERR_NOT_READY, "the program is dead");
	struct sim_ask *a = base_alloc(1, sizeof(*a));
	base_assert(a);
	*a = (struct sim_ask){.half = half, .request = *request, .done = done, .ctx = ctx};
	/* One after the other. */
	const int64_t from = r->keeper_busy_until > w->now ? r->keeper_busy_until : w->now;
	r->keeper_busy_until = from + sim_between(w, NS_PER_MS / 20, NS_PER_MS);
	sim_after(w, half, r->keeper_busy_until - w->now, handle, a);
	return 0;
}

/* -- kicks -- */

struct sim_kick {
	struct sim_world *world;
	char endpoint[32], name[CRDS_NAME_MAX];
};

static void kicked(void *ctx)
{
	struct sim_kick *k = ctx;

	for (size_t i = 0; i < k->world->replicas_len; i++) {
		struct sim_replica *r = &k->world->replicas[i];
		if (r->half && r->half->agent && strcmp(r->endpoint, k->endpoint) == 0 &&
			r->paused_until <= k->world->now)
			agent_replica_kicked(r->half->agent, base_str(k->name));
	}
	base_free(k);
}

void agent_kick_send(
	struct agent_core *core, struct str endpoint, struct str member_name, struct str rv)
{
	struct sim_world *w = container_of(core, struct kube_client, core)->world;
	struct sim_kick *k = base_alloc(1, sizeof(*k));

	(void)rv;
	base_assert(k);
	k->world = w;
	if (base_str_copy(endpoint, k->endpoint, sizeof(k->endpoint), "endpoint", NULL) < 0 ||
		base_str_copy(member_name, k->name, sizeof(k->name), "name", NULL) < 0 ||
		sim_once_in(w, 5)) {
		base_free(k);
		return;
	}
	sim_after(w, NULL, sim_between(w, NS_PER_MS / 4, 3 * NS_PER_MS), kicked, k);
}

/* Requests to a keeper whose asker died are dropped with it. */
void sim_link_drop(struct sim_world *w, const struct kube_client *half)
{
	for (size_t i = w->events_len; i-- > 0;)
		if ((!half || w->events[i].half == half) &&
			(w->events[i].fire == handle || w->events[i].fire == answer ||
				(!half && w->events[i].fire == kicked))) {
			base_free(w->events[i].ctx);
			w->events[i] = w->events[--w->events_len];
		}
}
