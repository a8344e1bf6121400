/* A new Active key as a CloudEvent 1.0: what docs/cloudevents.md says of it. Layer: agent, pure.
 * Public things only, and a hint: the record stays the authority.
 */
#ifndef AGENT_ANNOUNCEMENT_H
#define AGENT_ANNOUNCEMENT_H

#include "crds/functionkey.h"
#include "pkg/base/text.h"

#define AGENT_ANNOUNCEMENT_TYPE "dev.functionkey.key.active"
#define AGENT_ANNOUNCEMENT_MAX  4096 /* bytes of the data */

struct agent_announcement {
	char id[CRDS_UID_LEN +
		24];      /* "<record's UID>-<epoch>": the same at each try, by each leader */
	char source[256]; /* path of the record */
	char subject[64]; /* the function */
	char time[BASE_TIME_LEN]; /* when the key became Active */
	struct buf data;          /* JSON */
};

/* Frees the data. Repeatable. */
void agent_announcement_done(struct agent_announcement *a);
CLEANUP_DONE(struct agent_announcement, agent_announcement_done);

/* Fills *ret_a, which owns its data. wall_ns stands for a time that the record does not have.
 * TOO_LARGE, NOMEM. */
int agent_announcement_make(const struct crds_functionkey *record, const struct crds_key *key,
	int64_t wall_ns, struct agent_announcement *ret_a, struct err *err) must_check;

#endif
