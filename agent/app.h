/* The network half, assembled: what its faces share. Layer: agent. Filled by agent/network; parts
 * that are not there yet are NULL, and the faces say so.
 */
#ifndef AGENT_APP_H
#define AGENT_APP_H

#include "agent/core.h"
#include "agent/journal.h"
#include "agent/metrics.h"
#include "agent/opening.h"
#include "agent/options.h"
#include "agent/replica.h"
#include "agent/room.h"
#include "agent/senders.h"

struct agent_peer_face;
struct agent_local_face;
struct agent_proxy;
struct agent_signer;

struct agent_app {
	struct agent_core core;
	struct agent_options options;
	struct agent_metrics *metrics;
	struct agent_journal journal;
	struct agent_room room;
	struct envelope_context *envelope;
	struct agent_senders *senders;
	struct agent_signer *signer;
	struct agent_replica *replica;   /* NULL: who we are is not known yet */
	struct agent_openings *openings; /* as long as replica is */
	struct agent_proxy *proxy;       /* NULL: proxy mode was not asked for */
	const char *starting;            /* why replica is NULL, for people */
	bool stopping;
};

/* Whether we can open messages for the active key, and why not. */
struct protocol_readiness agent_app_readiness(const struct agent_app *app);

/* Notes a failed message in metrics, journal and log. */
void agent_app_failed(struct agent_app *app, const char *what, const struct agent_message_end *end,
	const struct err *err);

/* The client of a message that has no end yet is gone. Counted as aborted; noted as not-read where
 * it was cut because it read nothing (http_stalled). */
void agent_app_gone(
	struct agent_app *app, const char *what, enum agent_op op, int64_t took_ns, bool stalled);

#endif
