/* Inside of agent/opening. Included by agent/opening*.c only. Layer: agent. */
#ifndef AGENT_OPENING_INTERNAL_H
#define AGENT_OPENING_INTERNAL_H

#include "agent/opening.h"
#include "agent/replay.h"
#include "pkg/envelope/signed.h"

#include <sys/queue.h>

enum agent_opening_state {
	AGENT_OPENING_HEAD,   /* bytes of the head come */
	AGENT_OPENING_PARKED, /* the key, or a place at the keeper, may come */
	AGENT_OPENING_ASKING, /* the keeper has been asked */
	AGENT_OPENING_KNOWN,  /* k is at hand: resume */
	AGENT_OPENING_BODY,
	AGENT_OPENING_JUDGING, /* records that show who vouches for the sender may come */
	AGENT_OPENING_JUDGED,  /* they came, or will not: resume */
	AGENT_OPENING_DEAD
};

struct agent_opening {
	struct agent_openings *s;
	void (*ready)(void *ctx);
	void *ctx;
	TAILQ_ENTRY(agent_opening) link; /* of the parked */
	enum agent_opening_state state;
	enum envelope_kind kind; /* that is taken */
	bool asked;              /* the keeper answered: k is there */
	bool in_keeper;          /* its answer will come, and needs this memory */
	bool orphan;             /* freed by its owner meanwhile */
	bool busy;               /* parked for want of a place, not of a key */
	bool has_head;
	int64_t started_ns, until_ns;
	struct buf in; /* the head, and what came after it while waiting */
	struct envelope_message message;
	struct agent_choice choice;
	struct agent_opened opened;
	struct envelope_cache_key cache_key;
	struct secret k;
	struct envelope_signed_opener opener;
	struct agent_senders_waiter waiter;
	struct agent_sender sender;
	bool judged; /* the sender is known, and good enough */
	bool taken;  /* the replay window has it under replay_key */
	struct agent_replay_key replay_key;
	struct envelope_exchange exchange; /* requests only */
	struct err why;                    /* of a failed wait; class 0: it went well */
};

struct agent_openings {
	struct agent_core *core;
	struct envelope_context *envelope;
	struct agent_replica *replica;
	struct agent_replica_watcher watcher;
	struct agent_opening_policy policy;
	struct envelope_cache *cache; /* NULL: nothing was opened yet */
	struct envelope_sender_check check;
	struct agent_replay *replay; /* NULL: there is no window */
	TAILQ_HEAD(agent_parked, agent_opening) parked;
	uv_timer_t timer; /* of the parked, and of the cache */
	bool timer_open;
	bool ticking;
	char name[ENVELOPE_NAME_MAX + 1]; /* "<namespace>/<revision>" */
	int64_t tokens, filled_ns;
	struct pre_fingerprint seen[CRDS_KEYS_MAX * 2]; /* whose secrets the cache may hold */
	size_t seen_len;
	struct agent_openings_stats stats;
};

/* -- opening_key.c: from a head to the content secret -- */

/* 0: o->k is filled; AGENT_OPENING_WAIT: o is parked or the keeper was asked, o->ready follows. */
int agent_opening_find_key(struct agent_opening *o, struct err *err) must_check;
void agent_opening_unpark(struct agent_opening *o);
/* The secret passed: it may be used again. */
void agent_opening_keep_key(struct agent_opening *o);
void agent_openings_tick(uv_timer_t *timer);
void agent_openings_changed(void *ctx);

/* -- opening_sender.c -- */

void agent_opening_sender_begin(struct agent_opening *o); /* once the head is known */
void agent_opening_sender_end(struct agent_opening *o);
/* What the header states against what we ask for. SENDER_REQUIRED. */
int agent_opening_minimum(struct agent_opening *o, struct err *err) must_check;
/* After each piece: judges the sender as soon as he shows. 0 or AGENT_OPENING_WAIT. */
int agent_opening_judge(struct agent_opening *o, struct err *err) must_check;

#endif
