/* endpoints.json beside the local API's socket: what variables of a pod cannot say, since it
 * changes while the pod lives. Layer: agent.
 *
 * The file is replaced in one step (another file of the same folder is renamed to it), so whoever
 * reads it sees a whole document, and whoever watches the folder sees IN_MOVED_TO. It is written at
 * the start and whenever its content changes, at most ten times a second. If that fails, the former
 * file stays, the log says so once, and it is tried again. Nothing is synced: the folder is a tmpfs
 * that goes with the pod. Content: api/openapi.yaml, schema Endpoints.
 */
#ifndef AGENT_ENDPOINTS_H
#define AGENT_ENDPOINTS_H

#include "agent/app.h"

#define AGENT_ENDPOINTS_FILE "endpoints.json"
#define AGENT_ENDPOINTS_MAX  (128u << 10) /* two of them fit into the pod's tmpfs of 1 MiB */

struct agent_endpoints;

/* Writes the first one soon. app outlives it; the folder of its socket must be there. DENIED,
 * TERMINAL, NOMEM. */
int agent_endpoints_new(struct agent_app *app, struct agent_endpoints **ret_e, struct err *err)
	must_check;
/* app->replica is there, from now on: follow it. */
void agent_endpoints_begin(struct agent_endpoints *e);
/* Something of the content may have changed. */
void agent_endpoints_changed(struct agent_endpoints *e);
/* Before app->replica goes. The file stays. NULL is fine. Returns NULL. Memory goes when the loop
 * runs on. */
struct agent_endpoints *agent_endpoints_free(struct agent_endpoints *e);
CLEANUP_FREE(struct agent_endpoints, agent_endpoints_free);

/* Replaces the file in the folder behind a descriptor. TRANSIENT: the former one stays. */
int agent_endpoints_replace(int folder, struct str text, struct err *err) must_check;

#endif
