/* Opening messages, whatever brings them: strict head, our recipient entry, the content secret from
 * cache or keeper, the body. Layer: agent. Bodies never leave this process; the keeper gets the
 * recipient entry alone.
 *
 * A message for a key that may still come is parked: bounded in number and time. Openings that need
 * the keeper are paced apart from those that do not, so that a flood of new keys starves nobody
 * whose key is at hand.
 */
#ifndef AGENT_OPENING_H
#define AGENT_OPENING_H

#include "agent/choose.h"
#include "agent/core.h"
#include "agent/outbound_targets.h"
#include "agent/problem.h"
#include "agent/report.h"
#include "pkg/envelope/cache.h"
#include "pkg/envelope/response.h"

#define AGENT_PARKED_MAX   256
#define AGENT_PARK_NS      (5 * NS_PER_S)
#define AGENT_COLD_RATE    8000 /* keeper openings a second */
#define AGENT_COLD_BURST   1024
#define AGENT_ASKING_MAX   128 /* under way at the keeper: what is left is for signatures */
#define AGENT_CACHE_MAX    2048
#define AGENT_VERIFIED_MAX 2048 /* signatures of certificates and windows that are remembered */
#define AGENT_CHUNK_MAX    (64u << 10) /* bytes that may be held beside a head */
#define AGENT_SKEW_S       60          /* by which a sender's clock may be behind ours */

struct agent_openings; /* what all openings share */

/* What senders have to show. */
struct agent_opening_policy {
	enum envelope_sender_level require;  /* verified; NONE: nothing */
	const struct agent_targets *allowed; /* functions that may send; empty or NULL: all */
	int64_t replay_s;                    /* replay window in seconds; 0: none */
	struct agent_senders *senders;       /* that know who vouches for whom */
};

/* core, envelope, replica and the policy's senders are borrowed and outlive it. */
int agent_openings_new(struct agent_core *core, struct envelope_context *envelope,
	struct agent_replica *replica, const struct agent_opening_policy *policy,
	struct agent_openings **ret_openings, struct err *err) must_check;
/* Every opening was freed before. Memory goes when the loop has closed the timer. */
struct agent_openings *agent_openings_free(struct agent_openings *s);
CLEANUP_FREE(struct agent_openings, agent_openings_free);

/* How senders were judged: enum agent_vouched, and these. */
enum agent_sender_result {
	AGENT_SENDER_UNNAMED = AGENT_VOUCH_COUNT, /* the message is not signed */
	AGENT_SENDER_REFUSED, /* it states less than we ask for, or a name that is not listed */
	AGENT_SENDER_RESULTS
};

struct agent_openings_stats {
	uint64_t cold, warm; /* secrets from the keeper, from the cache */
	uint64_t parked_ever;
	size_t parked, asking;                                         /* now */
	uint64_t senders[ENVELOPE_SENDER_COUNT][AGENT_SENDER_RESULTS]; /* by stated level */
	struct envelope_cache_stats cache;
};
struct agent_openings_stats agent_openings_stats(const struct agent_openings *s);

/* -- one message -- */

struct agent_opening;

#define AGENT_OPENING_WAIT 1

/* ready is called from the loop, once, after a call here said WAIT: then go on with
 * agent_opening_resume. The caller owns *ret. NOMEM. */
int agent_opening_new(struct agent_openings *s, void (*ready)(void *ctx), void *ctx,
	struct agent_opening **ret_opening, struct err *err) must_check;
/* Takes messages of this kind instead of events; before the first byte. */
void agent_opening_expect(struct agent_opening *o, enum envelope_kind kind);
/* At any time, also while it waits. Returns NULL. */
struct agent_opening *agent_opening_free(struct agent_opening *o);
CLEANUP_FREE(struct agent_opening, agent_opening_free);

/* Takes at most AGENT_CHUNK_MAX bytes; appends plaintext that verified to out (room: that of
 * ENVELOPE_OUT_ROOM). 0: go on; AGENT_OPENING_WAIT: all bytes were taken, bring no more until
 * resumed, and hand nothing of out on before: it may yet be refused. Problems: MALFORMED, TAMPERED,
 * NO_KEY, STALE_EPOCH, WRONG_RECIPIENT, TOO_LARGE, NOT_READY, EXPIRED (its sender set an end, which
 * is more than AGENT_SKEW_S past), SENDER_REQUIRED, REPLAYED. */
int agent_opening_add(struct agent_opening *o, struct str bytes, struct buf *out, struct err *err)
	must_check;
/* As agent_opening_add, after ready. May say WAIT again. */
int agent_opening_resume(struct agent_opening *o, struct buf *out, struct err *err) must_check;
/* No more bytes come: only success means that all of it is genuine and complete. A whole message's
 * plaintext is released here, never before. WAIT: as above, and after agent_opening_resume it is
 * complete. */
int agent_opening_end(struct agent_opening *o, struct buf *out, struct err *err) must_check;

/* What is known once the head was taken; NULL before. Borrowed from the opening. */
struct agent_opened {
	const struct envelope_header *header;
	int64_t epoch;
	enum crds_key_state state;
	bool warm; /* no keeper was needed */
};
const struct agent_opened *agent_opening_head(const struct agent_opening *o);
/* Who sent it: final once a call gave plaintext without WAIT, but for the level of a stream, which
 * may grow at its end. Borrowed likewise. */
const struct agent_sender *agent_opening_sender(const struct agent_opening *o);
/* The function has it: from here on the replay window keeps it out. What is freed without may come
 * again. */
void agent_opening_delivered(struct agent_opening *o);
/* Of a request, with which its response is sealed; once the head was taken. Borrowed likewise. */
const struct envelope_exchange *agent_opening_exchange(const struct agent_opening *o);
int64_t agent_opening_started_ns(const struct agent_opening *o);

#endif
