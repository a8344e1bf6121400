/* What /v1/status, /v1/keys, /readyz and endpoints.json say. Layer: agent; reads the app's parts.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "agent/app.h"
#include "pkg/base/buf.h"
#include "pkg/kmsg/ops.h"

#define AGENT_STATUS_MAX (256 * 1024)

/* Appends the JSON of /v1/status. keeper may be NULL: it did not answer. */
int agent_status_write(struct agent_app *app, const struct kmsg_stats_reply *keeper,
	struct buf *out, struct err *err) must_check;

/* Appends the JSON of /v1/keys: our own revision's keys, and the recipients in use. */
int agent_keys_write(struct agent_app *app, struct buf *out, struct err *err) must_check;

/* Appends the JSON of /v1/keys/{namespace}/{function}: the keys a message would be sealed to. */
int agent_function_keys_write(struct str ns, struct str function, const struct agent_recipients *to,
	struct buf *out, struct err *err) must_check;

/* Appends the JSON of endpoints.json (agent/endpoints.h). Recipients whose records changed are
 * chosen anew for it. */
int agent_endpoints_write(struct agent_app *app, struct buf *out, struct err *err) must_check;

/* Appends "ready\n" or "not ready: <Reason>: <message>\n". */
int agent_ready_write(const struct agent_app *app, struct buf *out, struct err *err) must_check;

#endif
