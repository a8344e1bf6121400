/* kubectl functionkey why POD: why a replica is not ready, from what the cluster knows of it and
 * what its agent says. Layer: cli.
 */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "cli/objects.h"
#include "cli/report.h"
#include "cli/session.h"
#include "crds/functionkey.h"
#include "crds/pod.h"

/* Runs the command. */
int cli_why(const struct cli_options *o, struct err *err) must_check;

/* What was found. NULL: it is not there; a denied_ one may not be read. */
struct cli_case {
	const struct crds_pod *pod;
	const struct cli_pod *more;
	const struct crds_functionkey *member, *leader;
	const struct cli_lease *lease;
	bool opted_in; /* the namespace's label */
	bool lease_denied, namespace_denied;
	struct str revision; /* of the pod */
	int64_t now_wall_ns;
};

/* Goes along the way of a replica to readiness, a line a station, and stops at the first that it
 * has not passed. */
int cli_why_explain(const struct cli_case *c, struct cli_report *report, struct err *err)
	must_check;

/* Adds what the pod's agent says, if it runs; that it was not asked and why, if it cannot be. */
int cli_why_agent(struct cli_session *s, const struct cli_case *c, struct cli_report *report,
	struct err *err) must_check;

/* Adds lines about its /v1/status. INVALID. */
int cli_why_agent_explain(struct str status, int64_t now_wall_ns, struct cli_report *report,
	struct err *err) must_check;

#endif
