/* What all parts of the network half share. Layer: agent. Holds no long-lived secret: those are
 * the keeper's.
 *
 * The parts know each other only through their headers:
 *	records    the newest version of each FunctionKey that concerns this replica
 *	replica    carries out the protocol's plans (pkg/protocol)
 *	keeper     the socketpair to the keeper
 *	senders    what is known of functions that we encrypt to
 *	local, peer  the HTTP faces
 */
#ifndef AGENT_CORE_H
#define AGENT_CORE_H

#include "pkg/base/env.h"
#include "pkg/base/str.h"

#include <uv.h>

struct agent_keeper;
struct agent_kicks;
struct agent_metrics;
struct kube_client;
struct kube_events;
struct log;
struct pre_context;

/* Who this replica is. Strings live as long as the process. */
struct agent_self {
	struct str ns, revision, function, pod, pod_uid, pod_ip;
	int64_t incarnation; /* of the keeper */
	struct str endpoint; /* "<pod IP>:9471" */
	struct str member;   /* name of our Member record */
	struct str identity; /* "<pod>_<podUID>_<incarnation>", the Lease's holder */
};

struct agent_core {
	struct env env;
	uv_loop_t *loop;
	struct log *log;
	struct kube_client *client;
	struct kube_events *events;
	struct pre_context *pre;
	struct agent_keeper *keeper;
	struct agent_metrics *metrics;
	struct agent_kicks *kicks; /* agent/kick.h; NULL: none are sent */
	struct agent_self self;
	int64_t lease_duration_s, lease_deadline_s, lease_retry_s;
	int64_t started_ns; /* boot clock */
};

#define AGENT_FIELD_MANAGER "functionkey-agent"

#endif
