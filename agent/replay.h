/* Which messages came already: a window of time in which no message is taken twice by this replica.
 * Layer: agent, pure (base, envelope's hash).
 *
 * A message is known by its sender's identity key (none: unsigned) and its id. What is older than
 * the window, or from the future, is refused, so that nothing needs to be remembered for longer.
 * When there is no room for one more, messages are refused too: whoever forgets can be replayed to.
 */
#ifndef AGENT_REPLAY_H
#define AGENT_REPLAY_H

#include "pkg/envelope/body.h"

#define AGENT_REPLAY_MAX    (1u << 18) /* messages: at most 13 MiB */
#define AGENT_REPLAY_SKEW_S 60         /* by which a sender's clock may be ahead */

struct agent_replay;

/* env and envelope are borrowed. At most `max` messages, at least 1. The caller owns *ret. NOMEM,
 * TERMINAL. The second frees; NULL is fine; returns NULL. */
int agent_replay_new(const struct env *env, struct envelope_context *envelope, int64_t window_s,
	size_t max, struct agent_replay **ret_replay, struct err *err) must_check;
struct agent_replay *agent_replay_free(struct agent_replay *r);
CLEANUP_FREE(struct agent_replay, agent_replay_free);

/* By which a message is found again. */
struct agent_replay_key {
	uint8_t b[16];
};

/* Takes a message and fills *ret, or refuses it: REPLAYED, NOT_READY (no room). sender is NULL
 * where it is not known. iat: Unix seconds, as in the header. */
int agent_replay_take(struct agent_replay *r, const struct pre_public_key *sender,
	const uint8_t id[static ENVELOPE_ID_LEN], uint64_t iat, struct agent_replay_key *ret,
	struct err *err) must_check;

/* The message was not delivered after all: it may come again. */
void agent_replay_forget(struct agent_replay *r, const struct agent_replay_key *key);

/* Messages that are remembered now, at most. */
size_t agent_replay_len(const struct agent_replay *r);

#endif
