/* Where the leader is, for people and tools: a headless Service and an EndpointSlice
 * "<revision>-leader". Agents use the record; DNS is cached for seconds. */
#include "controller/revision.h"

#include "crds/endpoint.h"
#include "pkg/base/text.h"

void controller_endpoints(const struct controller_view *v, struct controller_plan *plan)
{
	char fingerprint[33];
	struct sockaddr_storage address;

	if (!v->leader)
		return;
	/* An address of a pod that is gone may be another pod's tomorrow. */
	const struct crds_pod *pod = controller_pod_find(v, v->leader->leader_uid);
	if (crds_endpoint_parse(v->leader->endpoint, &address, NULL) < 0 ||
		v->leader->active_epoch == 0 || !pod) {
		plan->remove_endpoints = v->slice && v->slice->address.n;
		plan->write_slice = plan->remove_endpoints;
		return;
	}
	/* Without an address its name would lead nowhere, with it or without. */
	plan->create_service = !v->has_service;
	base_hex(v->leader->active_fingerprint.b, sizeof(v->leader->active_fingerprint.b),
		fingerprint);
	plan->write_slice = !v->slice || !base_str_eq(v->slice->address, v->leader->endpoint) ||
			    !base_str_eq(v->slice->fingerprint, base_str(fingerprint));
}
