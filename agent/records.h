/* The newest known version of each record that concerns this replica: from one watch (Leader and
 * own Member record, label functionkey.dev/for), while leading from a second one (all Member
 * records of the revision), and from the answers to our own writes, which are newer than any
 * watch. Layer: agent.
 *
 * Records are borrowed until the loop runs on.
 */
#ifndef AGENT_RECORDS_H
#define AGENT_RECORDS_H

#include "agent/core.h"
#include "crds/functionkey.h"

#define AGENT_MEMBERS_MAX 4096

struct agent_records;

/* Called from the loop. */
struct agent_records_handler {
	void (*changed)(void *ctx);                        /* several changes may come as one */
	void (*trouble)(void *ctx, const struct err *err); /* a watch failed, and begins again */
};

/* Begins to watch; the handler is borrowed. The caller owns *ret_records. free: NULL is fine;
 * returns NULL. */
int agent_records_new(struct agent_core *core, const struct agent_records_handler *handler,
	void *ctx, struct agent_records **ret_records, struct err *err) must_check;
struct agent_records *agent_records_free(struct agent_records *r);
CLEANUP_FREE(struct agent_records, agent_records_free);

/* The Leader record and our own one, as read last; borrowed until the loop runs on. synced: both
 * were looked for at least once, so that NULL means that there is none. */
bool agent_records_synced(const struct agent_records *r);
const struct crds_functionkey *agent_records_leader(struct agent_records *r); /* NULL: none */
const struct crds_functionkey *agent_records_own(struct agent_records *r);

/* Starts or stops watching the revision's members. */
int agent_records_follow_members(struct agent_records *r, bool follow, struct err *err) must_check;
bool agent_records_members_synced(const struct agent_records *r);

/* All Member records of the revision but our own, while followed. The array lives until the next
 * call. */
int agent_records_members(struct agent_records *r, const struct crds_functionkey *const **ret_list,
	size_t *ret_n, struct err *err) must_check;

/* Takes a version that came another way (the answer to a write, a GET after a kick); it is
 * dropped if it is older than what is known, or of no record that is watched now. Takes ownership,
 * also on failure. */
void agent_records_put(struct agent_records *r, struct crds_functionkey *fk);

/* Forgets a version that came another way: the object is gone. */
void agent_records_forget(struct agent_records *r, struct str name);

#endif
