#include "controller/evict.h"

#include "controller/uninjected.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/client.h"
#include "pkg/kube/event.h"
#include "pkg/kube/patch.h"

#define AGAIN 10 /* times as long as else, before who was refused is tried again */

struct controller_evictor {
	struct controller_core *core;
	const struct controller_world *world;
	struct map *owners;  /* UID -> how many of its pods may lack the agent at the next look */
	struct map *refused; /* UIDs of owners whose pods the API server kept */
	int64_t every_ns, next_ns;
	struct kube_call *call;
	/* what it is about */
	char ns[64], pod[CRDS_NAME_MAX], uid[CRDS_UID_LEN + 1], owner[CRDS_UID_LEN + 1];
};

/* Values of the map are numbers, from 1. */
static void *number(size_t n)
{
	return (void *)(uintptr_t)(n + 1);
}

bool controller_evict_may(struct map *owners, struct str owner, size_t lacking)
{
	const void *allowed = base_map_get(owners, owner);

	/* More than were left: those that he made since have none either. The number stays, so this
	 * is for good. */
	if (allowed && lacking > (uintptr_t)allowed - 1)
		return false;
	return base_map_put(owners, owner, number(lacking - 1), NULL, NULL) == 0;
}

bool controller_evict_is_replaced(const struct crds_pod *pod)
{
	return pod->owner_uid.n && !base_str_eq(pod->owner_kind, STR("Job")) &&
	       !base_str_eq(pod->owner_kind, STR("Node"));
}

static const struct crds_pod *next_lacking(const struct controller_evictor *e, size_t *at)
{
	const struct crds_pod *pod = NULL;

	do
		pod = controller_world_each_pod(e->world, at);
	while (pod && !controller_lacks_agent(
			      pod, controller_world_namespace(e->world, pod->ns), e->core->ns));
	return pod;
}

static size_t lacking_of(const struct controller_evictor *e, struct str owner)
{
	const struct crds_pod *pod = NULL;
	size_t n = 0;

	for (size_t at = 0; (pod = next_lacking(e, &at));)
		n += base_str_eq(pod->owner_uid, owner);
	return n;
}

static void tell(const struct controller_evictor *e)
{
	const struct kube_event event = {.resource = &crds_pods,
		.regarding = {.ns = base_str(e->ns),
			.name = base_str(e->pod),
			.uid = base_str(e->uid)},
		.type = KUBE_EVENT_NORMAL,
		.reason = "AgentMissingEvicted",
		.action = "Evict",
		.note = STR(
			"opted in (functionkey.dev/inject) and ran without the agent: evicted, so "
			"that its owner creates a new one (--evict-uninjected)")};

	kube_event_emit(e->core->events, &event);
	log_write(e->core->log, LOG_INFO, "evicted a pod that lacked its agent",
		LOG_STR("namespace", base_str(e->ns)), LOG_STR("pod", base_str(e->pod)));
}

static void evicted(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_evictor *e = ctx;

	(void)resp;
	e->call = NULL;
	if (!err) {
		tell(e);
		return;
	}
	(void)base_map_remove(e->owners, base_str(e->owner));
	(void)!base_map_put(e->refused, base_str(e->owner), e, NULL, NULL);
	log_write(e->core->log, LOG_WARN, "cannot evict a pod that lacks its agent",
		LOG_STR("namespace", base_str(e->ns)), LOG_STR("pod", base_str(e->pod)),
		LOG_ERR("error", err));
}

static int evict(struct controller_evictor *e, const struct crds_pod *pod, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(2048);

	TRY(base_str_copy(pod->ns, e->ns, sizeof(e->ns), "namespace", err));
	TRY(base_str_copy(pod->name, e->pod, sizeof(e->pod), "pod", err));
	TRY(base_str_copy(pod->uid, e->uid, sizeof(e->uid), "UID", err));
	TRY(base_str_copy(pod->owner_uid, e->owner, sizeof(e->owner), "owner", err));
	TRY(base_buf_add_str(&body,
		STR("{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":"),
		err));
	TRY(kube_quote_add(&body, pod->name, err));
	TRY(base_buf_add_str(&body, STR("},\"deleteOptions\":{\"preconditions\":{\"uid\":"), err));
	TRY(kube_quote_add(&body, pod->uid, err));
	TRY(base_buf_add_str(&body, STR("}}}"), err));
	const struct kube_request request = {.verb = KUBE_CREATE,
		.resource = &crds_pods,
		.ns = pod->ns,
		.name = pod->name,
		.subresource = STR("eviction"),
		.body = base_buf_str(&body)};
	return kube_start(e->core->client, &request, evicted, e, &e->call, err);
}

/* Everybody may be tried again. */
static void forget_refused(struct controller_evictor *e)
{
	struct str owner = STR_NULL;
	void *unused = NULL;

	for (size_t at = 0; base_map_next(e->refused, &at, &owner, &unused);)
		(void)base_map_remove(e->refused, owner);
}

void controller_evictor_look(struct controller_evictor *e)
{
	const int64_t now = base_boot_ns(&e->core->env);
	const struct crds_pod *pod = NULL;
	struct err err = {0};

	if (e->call || now < e->next_ns)
		return;
	for (size_t at = 0; (pod = next_lacking(e, &at));) {
		const struct str owner = pod->owner_uid;
		if (controller_evict_is_replaced(pod) && !base_map_get(e->refused, owner) &&
			controller_evict_may(e->owners, owner, lacking_of(e, owner)))
			break;
	}
	if (!pod) {
		if (base_map_len(e->refused) > 0)
			e->next_ns = now + AGAIN * e->every_ns;
		forget_refused(e);
		return;
	}
	e->next_ns = now + e->every_ns;
	if (evict(e, pod, &err) < 0)
		evicted(e, NULL, &err);
}

int controller_evictor_new(struct controller_core *core, const struct controller_world *world,
	int64_t every_ns, struct controller_evictor **ret_e, struct err *err)
{
	_cleanup_(controller_evictor_free) struct controller_evictor *e = base_alloc(1, sizeof(*e));

	if (!e)
		return FAIL(err, ERR_NOMEM, "evictor");
	e->core = core;
	e->world = world;
	e->every_ns = every_ns;
	TRY(base_map_new(CONTROLLER_EVICT_OWNERS_MAX, &e->owners, err));
	TRY(base_map_new(CONTROLLER_EVICT_OWNERS_MAX, &e->refused, err));
	*ret_e = STEAL(e);
	return 0;
}

struct controller_evictor *controller_evictor_free(struct controller_evictor *e)
{
	if (!e)
		return NULL;
	kube_cancel(e->call);
	base_map_free(e->owners);
	base_map_free(e->refused);
	base_free(e);
	return NULL;
}
