#include "pkg/protocol/protocol.h"

static void lower(int64_t *wake_ns, int64_t at)
{
	if (*wake_ns == 0 || at < *wake_ns)
		*wake_ns = at;
}

bool protocol_may_contend(const struct protocol_view *v, bool *ret_count, int64_t *wake_ns)
{
	/* Without a Member record nobody could tell whose keys these are. */
	if (!v->leader || !protocol_registered(v) || v->draining || v->leader->deleting ||
		protocol_revoked(v))
		return false;
	if (v->holding || v->named)
		return true;
	const struct crds_key *active = crds_key_active(v->leader);
	if (!active || protocol_holds(v, active) || crds_no_holder(v->leader))
		return true;
	if (v->unheld_since_ns == 0) {
		/* A Lease that runs out is no event: nobody writes it. */
		if (v->lease_expiry_ns > v->boot_ns)
			lower(wake_ns, v->lease_expiry_ns);
		return false;
	}
	/* An empty-handed replica must not win and lose the history while somebody who has it
	 * lives; where nobody does, a start from zero must not wait. */
	if (v->live_holders == 0)
		return true;
	if (v->live_holders < 0)
		*ret_count = true;
	const int64_t at = v->unheld_since_ns + 2 * v->lease_duration_ns;
	if (v->boot_ns >= at)
		return true;
	/* Pods may be gone whose records are not collected yet. */
	if (v->live_holders > 0)
		lower(wake_ns, v->count_again_ns);
	lower(wake_ns, at);
	return false;
}
