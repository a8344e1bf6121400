#include "controller/uninjected.h"

#include "controller/evict.h"
#include "controller/metrics.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/map.h"
#include "pkg/kube/event.h"

#define FIRST_LOOK_MS 1000
#define LOOK_MS       5000
#define TOLD_MAX      4096 /* pods that are remembered as told of */
#define TELL_MAX      20   /* at one look: an upgrade gone wrong must not flood anybody */

struct controller_uninjected {
	struct controller_core *core;
	const struct controller_world *world;
	struct map *told;                   /* UIDs */
	struct controller_evictor *evictor; /* NULL: none is evicted */
	uv_timer_t timer;
	bool timer_open;
	bool seen; /* the pods as of `changes`, and all were told of */
	uint64_t changes;
};

bool controller_lacks_agent(
	const struct crds_pod *pod, const struct controller_namespace *space, struct str own_ns)
{
	return space && !space->deleting && !pod->injected && !pod->deleting &&
	       pod->phase == CRDS_POD_RUNNING && !base_str_eq(pod->ns, own_ns) &&
	       !base_str_eq(pod->ns, STR("kube-system"));
}

static void tell(const struct controller_uninjected *u, const struct crds_pod *pod)
{
	const struct kube_event event = {.resource = &crds_pods,
		.regarding = {.ns = pod->ns, .name = pod->name, .uid = pod->uid},
		.type = KUBE_EVENT_WARNING,
		.reason = "AgentMissing",
		.action = "Inspect",
		.note = STR("opted in (functionkey.dev/inject) and runs without the agent: it was "
			    "created before the injection was installed, or while its policies "
			    "were away. Delete it, so that its owner creates a new one")};

	kube_event_emit(u->core->events, &event);
	log_write(u->core->log, LOG_WARN, "a pod that opted in runs without its agent",
		LOG_STR("namespace", pod->ns), LOG_STR("pod", pod->name));
}

/* `next` remembers of `told` those that are still there. */
static void look_at(struct controller_uninjected *u, struct map *next, const struct crds_pod *pod,
	unsigned *telling)
{
	const bool is_told = base_map_get(u->told, pod->uid) != NULL;

	if (!is_told && *telling == 0)
		return;
	if (base_map_put(next, pod->uid, u, NULL, NULL) < 0 || is_told)
		return;
	(*telling)--;
	tell(u, pod);
}

static void look_at_all(struct controller_uninjected *u)
{
	struct map *next = NULL;
	const struct crds_pod *pod = NULL;
	unsigned telling = TELL_MAX;
	size_t count = 0;

	if (base_map_new(TOLD_MAX, &next, NULL) < 0)
		return;
	for (size_t at = 0; (pod = controller_world_each_pod(u->world, &at));) {
		if (!controller_lacks_agent(
			    pod, controller_world_namespace(u->world, pod->ns), u->core->ns))
			continue;
		count++;
		look_at(u, next, pod, &telling);
	}
	base_map_free(u->told);
	u->told = next;
	u->seen = telling > 0;
	controller_metrics_uninjected(u->core->metrics, count);
}

static void look(uv_timer_t *timer)
{
	struct controller_uninjected *u = timer->data;
	const uint64_t changes = controller_world_pod_changes(u->world);

	if (!u->seen || changes != u->changes)
		look_at_all(u);
	u->changes = changes;
	if (u->evictor)
		controller_evictor_look(u->evictor);
}

int controller_uninjected_new(struct controller_core *core, const struct controller_world *world,
	int64_t evict_every_ns, struct controller_uninjected **ret_u, struct err *err)
{
	_cleanup_(controller_uninjected_free) struct controller_uninjected *u =
		base_alloc(1, sizeof(*u));

	if (!u)
		return FAIL(err, ERR_NOMEM, "watchdog");
	u->core = core;
	u->world = world;
	TRY(base_map_new(TOLD_MAX, &u->told, err));
	if (evict_every_ns > 0)
		TRY(controller_evictor_new(core, world, evict_every_ns, &u->evictor, err));
	if (uv_timer_init(core->loop, &u->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	u->timer.data = u;
	u->timer_open = true;
	*ret_u = STEAL(u);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct controller_uninjected *controller_uninjected_free(struct controller_uninjected *u)
{
	if (!u)
		return NULL;
	base_map_free(u->told);
	controller_evictor_free(u->evictor);
	if (u->timer_open)
		uv_close((uv_handle_t *)&u->timer, timer_closed);
	else
		base_free(u);
	return NULL;
}

void controller_uninjected_activate(struct controller_uninjected *u, bool active)
{
	u->seen = false;
	if (active) {
		(void)uv_timer_start(&u->timer, look, FIRST_LOOK_MS, LOOK_MS);
		return;
	}
	(void)uv_timer_stop(&u->timer);
	/* From now on another replica counts. */
	controller_metrics_uninjected(u->core->metrics, 0);
}
