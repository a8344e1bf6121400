/* How long a replica's phases took, for metrics. Layer: agent. */
#ifndef AGENT_PHASES_H
#define AGENT_PHASES_H

#include "agent/app.h"

struct agent_phases {
	struct agent_app *app;
	struct agent_replica_watcher watcher;
	bool was_ready;
	int64_t won_ns, active_ns;       /* as last reported */
	int64_t new_epoch, new_since_ns; /* an Active key that we cannot open yet; 0: none */
};

/* Watches the app's replica; p stays where it is until agent_phases_end. */
void agent_phases_begin(struct agent_phases *p, struct agent_app *app);
void agent_phases_end(struct agent_phases *p);

#endif
