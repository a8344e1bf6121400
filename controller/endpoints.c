/* Where the leader is, for people and tools: a headless Service and an EndpointSlice
 * "<revision>-leader". Agents use the record; DNS is cached for seconds. */
#include "controller/revision.h"

#include "crds/endpoint.h"
#include "pkg/base/text.h"

/* Names of Services begin with a letter, those of revisions may with a digit. */
static bool names_a_service(struct str revision)
{
	return revision.n > 0 && revision.p[0] >= 'a' && revision.p[0] <= 'z';
}

struct str controller_slice_said(
	const struct controller_view *v, bool empty, char dst[static CONTROLLER_SAID_MAX])
{
	char fingerprint[33];

	if (empty)
		return STR_NULL;
	base_hex(v->leader->active_fingerprint.b, sizeof(v->leader->active_fingerprint.b),
		fingerprint);
	(void)snprintf(
		dst, CONTROLLER_SAID_MAX, "%.*s %s", STR_FMT(v->leader->endpoint), fingerprint);
	return base_str(dst);
}

/* The cache may not have seen our last write yet: looking at it again at once would write the same
 * as fast as the API server answers, for as long as a watch is cut. */
static void hold_slice(const struct controller_view *v, struct controller_plan *plan)
{
	const int64_t at = v->slice_ns + CONTROLLER_SLICE_EVERY_NS;
	char said[CONTROLLER_SAID_MAX];

	if (!plan->write_slice || v->slice_ns == 0 || v->boot_ns >= at ||
		!base_str_eq(v->slice_said, controller_slice_said(v, plan->remove_endpoints, said)))
		return;
	plan->write_slice = false;
	if (plan->wake_ns == 0 || at < plan->wake_ns)
		plan->wake_ns = at;
}

static void judge(const struct controller_view *v, struct controller_plan *plan)
{
	char fingerprint[33];
	struct sockaddr_storage address;

	if (!v->leader || !names_a_service(v->revision))
		return;
	/* An address of a pod that is gone may be another pod's tomorrow. */
	const struct crds_pod *pod = controller_pod_find(v, v->leader->leader_uid);
	if (!v->opted_in || crds_endpoint_parse(v->leader->endpoint, &address, NULL) < 0 ||
		v->leader->active_epoch == 0 || !pod) {
		plan->remove_endpoints = v->slice && v->slice->address.n;
		plan->write_slice = plan->remove_endpoints;
		return;
	}
	/* Without an address its name would lead nowhere, with it or without. */
	plan->create_service = !v->has_service;
	base_hex(v->leader->active_fingerprint.b, sizeof(v->leader->active_fingerprint.b),
		fingerprint);
	if (v->slice && base_str_eq(v->slice->address, v->leader->endpoint) &&
		base_str_eq(v->slice->fingerprint, base_str(fingerprint)))
		return;
	/* One write for the leader and its key. */
	plan->write_slice = !v->slice || !controller_change_is_young(v, plan);
}

void controller_endpoints(const struct controller_view *v, struct controller_plan *plan)
{
	judge(v, plan);
	hold_slice(v, plan);
}
