/* Orphans: what has lost its owner, and so would stay for ever. Owner references collect everything
 * that we and the agents make; whoever deletes with --cascade=orphan, or edits them away, leaves
 * objects that nothing collects. The janitor deletes nothing: it gives an orphan an owner again,
 * and the garbage collector does the rest, as soon as that owner is gone too, or at once
 * (docs/adr/0006-orphans-get-owners.md). */
#include "controller/revision.h"

static const struct controller_record *orphaned_member(const struct controller_view *v)
{
	for (size_t i = 0; i < v->members_len; i++)
		if (v->members[i]->orphan && !v->members[i]->deleting)
			return v->members[i];
	return NULL;
}

/* The pod that a record or Lease without a replica hung on last. */
static bool former_pod(const struct controller_view *v, struct controller_former *ret_pod)
{
	struct controller_former pod = {0};

	if (v->leader && v->leader->leader_uid.n)
		pod = (struct controller_former){v->leader->leader_pod, v->leader->leader_uid};
	else if (!v->lease || !controller_holder_parse(v->lease->holder, &pod.name, &pod.uid))
		return false;
	*ret_pod = pod;
	return true;
}

static enum controller_orphan find(const struct controller_view *v, const struct crds_pod *replica,
	struct controller_plan *plan)
{
	const struct controller_record *member = orphaned_member(v);

	if (member) {
		plan->adopt_meta = member->meta;
		plan->adopt_by = (struct controller_former){member->pod, member->pod_uid};
		return CONTROLLER_ORPHAN_MEMBER;
	}
	if (!replica && !former_pod(v, &plan->adopt_by))
		return CONTROLLER_NO_ORPHAN;
	if (v->leader && v->leader->orphan && !v->leader->deleting) {
		plan->adopt_meta = v->leader->meta;
		return CONTROLLER_ORPHAN_RECORD;
	}
	if (v->lease && v->lease->owners == 0) {
		plan->adopt_meta = v->lease->meta;
		return CONTROLLER_ORPHAN_LEASE;
	}
	return CONTROLLER_NO_ORPHAN;
}

void controller_janitor(const struct controller_view *v, const struct crds_pod *replica,
	struct controller_plan *plan)
{
	plan->orphan = find(v, replica, plan);
	if (plan->orphan == CONTROLLER_NO_ORPHAN)
		return;
	/* Whoever takes owners away may be about to set others; the garbage collector is one of
	 * them. */
	const int64_t at = (v->orphan_ns ? v->orphan_ns : v->boot_ns) + CONTROLLER_ORPHAN_AFTER_NS;
	if (v->boot_ns >= at)
		plan->adopt = true;
	else if (plan->wake_ns == 0 || at < plan->wake_ns)
		plan->wake_ns = at;
}
