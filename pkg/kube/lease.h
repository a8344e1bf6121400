/* Leader election on a Lease by client-go's rules. Layer: kube.
 *
 * The rules are a pure step (kube_lease_step): it sees the Lease, answers and time, and says what
 * to do; the driver (kube_lease_run) asks the API server on the client's own Lease connection. A
 * client-go candidate can contend with it. kubernetes.md 1.8. Deviations, each safe beside
 * client-go:
 * - candidates watch the Lease instead of polling it (they poll where they may not watch);
 * - the own former incarnation (same `<pod>_<podUID>_`) is replaced at once, or its Lease released
 *   by who may not contend;
 * - a holder takes any change of leaseTransitions, another holder or an empty one as loss, waits
 * one retry period and contends anew;
 * - a Lease without a duration counts as one with ours.
 * All deadlines are on the boot clock. Times in the Lease are for people: none is ever compared
 * with ours.
 *
 * Invariant (fencing): kube_lease_may_write is true only while the Lease cannot be another's by
 * these rules: from an answered write until renew_deadline after that write was *sent*.
 */
#ifndef KUBE_LEASE_H
#define KUBE_LEASE_H

#include "pkg/kube/client.h"

#define KUBE_LEASE_HOLDER_MAX 511
#define KUBE_LEASE_RV_MAX     63

/* Leases of coordination.k8s.io/v1. */
extern const struct kube_resource kube_lease_resource;

/* ---- the pure step ---- */

struct kube_lease_record {
	char holder[KUBE_LEASE_HOLDER_MAX + 1]; /* a longer one is cut */
	char rv[KUBE_LEASE_RV_MAX + 1];
	int32_t duration_s; /* 0: the Lease has none, or nonsense */
	int32_t transitions;
	int64_t acquire_wall_ns, renew_wall_ns; /* 0: none */
};

struct kube_lease_times {
	int64_t duration_ns;       /* 0: 30 s */
	int64_t renew_deadline_ns; /* 0: 20 s */
	int64_t retry_ns;          /* 0: 10 s: between renewals, and between tries */
	int64_t take_jitter_ns;    /* 0: 20 ms: spreads the candidates that see a release */
};

struct kube_lease_rules {
	struct kube_lease_times times;
	char identity[KUBE_LEASE_HOLDER_MAX + 1]; /* <pod>_<podUID>_<incarnation> */
	bool may_create;                          /* else an absent Lease is waited for */
};

/* When to contend for a Lease that nobody holds. */
enum kube_lease_will {
	KUBE_LEASE_ABSTAIN, /* never; a Lease that is held is given up */
	KUBE_LEASE_LATE,    /* only after it stayed unheld for two of our durations */
	KUBE_LEASE_CONTEND, /* at once */
};

enum kube_lease_input {
	KUBE_LEASE_TICK,    /* only time went by */
	KUBE_LEASE_SEEN,    /* a GET answered, or the watch said; record NULL: it is absent */
	KUBE_LEASE_WRITTEN, /* CREATE, UPDATE or RELEASE was answered with this record */
	KUBE_LEASE_FAILED,  /* the request in flight failed with class */
	KUBE_LEASE_STOP,    /* release it if held, and never contend again */
};

struct kube_lease_event {
	enum kube_lease_input input;
	const struct kube_lease_record *record;
	enum err_class class;
	int64_t boot_ns;      /* now */
	int64_t sent_boot_ns; /* WRITTEN, FAILED: when the request was sent */
	uint32_t random;      /* for jitter */
	bool watching;        /* the watch is live: no need to poll */
	bool watched;         /* SEEN came from the watch: it may be older than what is known */
};

enum kube_lease_do {
	KUBE_LEASE_WAIT, /* until at_boot_ns, or the next event */
	KUBE_LEASE_GET,
	KUBE_LEASE_CREATE,
	KUBE_LEASE_UPDATE,  /* PUT record with record.rv as precondition */
	KUBE_LEASE_RELEASE, /* the same, in client-go's form of a release */
};

enum kube_lease_change { KUBE_LEASE_SAME, KUBE_LEASE_WON, KUBE_LEASE_LOST };

struct kube_lease_action {
	enum kube_lease_do act;
	int64_t at_boot_ns;              /* ask again then, whatever comes; INT64_MAX: no need */
	struct kube_lease_record record; /* without times: the driver stamps the wall clock */
	bool acquire;                    /* acquireTime is now; else it stays as it is */
	enum kube_lease_change change;
	const char *reason; /* why it was lost; static text */
};

struct kube_lease_state {
	struct kube_lease_record seen;
	bool have;  /* seen holds a record; else the Lease was absent, or never seen */
	bool known; /* something was seen at all */
	bool stale; /* look before the next write: what is seen may not be so any more */
	bool held;  /* we lead */
	bool stopping;
	bool busy;            /* a request is in flight: doing */
	bool releasing;       /* the release of what we held is still to do */
	bool released_former; /* the last write: of what our former incarnation held */
	enum kube_lease_do doing;
	enum kube_lease_will will;
	unsigned failures;       /* in a row */
	int64_t seen_boot_ns;    /* when the record last changed, as seen by us */
	int64_t got_boot_ns;     /* when a GET last answered */
	int64_t unheld_boot_ns;  /* since when nobody holds it: empty or absent; 0: not so */
	int64_t renewed_boot_ns; /* when our last good write was sent */
	int64_t next_boot_ns;    /* not before: next try */
	int64_t jitter_boot_ns;  /* not before: taking what is free */
};

/* INVALID: times that client-go would refuse (duration > deadline > 1.2 × retry), a bad identity.
 */
int kube_lease_rules_check(struct kube_lease_rules *rules, struct err *err) must_check;

/* One step. Never fails; no input is a surprise. */
struct kube_lease_action kube_lease_step(const struct kube_lease_rules *rules,
	struct kube_lease_state *state, const struct kube_lease_event *event);

/* We hold it, or our former incarnation does. */
bool kube_lease_state_ours(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state);

/* The fence, for a state. */
bool kube_lease_state_may_write(const struct kube_lease_rules *rules,
	const struct kube_lease_state *state, int64_t boot_ns);

/* Since when nobody holds the Lease, for a state: empty, absent or expired; 0: somebody does, or it
 * is not known. */
int64_t kube_lease_state_unheld_since(const struct kube_lease_rules *rules,
	const struct kube_lease_state *state, int64_t boot_ns);

/* When the Lease runs out unless it is renewed, on the boot clock, for a state; 0: nobody holds it,
 * or it is not known. No event tells of it: who waits for it sets a timer. */
int64_t kube_lease_state_expiry(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state);

/* Appends <pod>_<podUID>_<incarnation>. */
int kube_lease_identity(struct buf *b, struct str pod, struct str pod_uid, uint64_t incarnation,
	struct err *err) must_check;

/* ---- the driver ---- */

struct kube_lease;

struct kube_lease_options {
	struct str ns, name;
	struct str identity;
	struct kube_lease_times times;
	const char *field_manager; /* NULL: none */
	enum kube_lease_will will; /* at the start; kube_lease_set_will changes it */
	bool may_create;
};

struct kube_lease_handler {
	/* A write that takes the Lease is under way; another may win. May be NULL. */
	void (*on_try)(void *ctx);
	void (*on_won)(void *ctx, int32_t transitions);
	/* Writes are fenced already. Contends again by itself, unless it was told to stop. */
	void (*on_lost)(void *ctx, const char *reason);
	/* The holder as it is seen: at each change, also to ours; empty: nobody. May be NULL. */
	void (*on_holder)(void *ctx, struct str holder, int32_t transitions);
	/* The Lease was read anew: kube_lease_annotation may say something else. May be NULL. */
	void (*on_seen)(void *ctx);
	/* Something fails again and again (RBAC, a Lease that does not parse); may be NULL. */
	void (*on_trouble)(void *ctx, const struct err *err);
};

/* Starts at once; callbacks come from the loop. Copies options and handler. */
int kube_lease_run(struct kube_client *client, const struct kube_lease_options *options,
	const struct kube_lease_handler *handler, void *ctx, struct kube_lease **ret_lease,
	struct err *err) must_check;

/* Stops without releasing and without callbacks. NULL is fine. Returns NULL. */
struct kube_lease *kube_lease_free(struct kube_lease *lease);
CLEANUP_FREE(struct kube_lease, kube_lease_free);

/* Releases the Lease if it is held and contends no more. released (may be NULL) is called once,
 * when that is done or was given up after renew_deadline; on_lost comes before it if it was held.
 */
void kube_lease_release(struct kube_lease *lease, void (*released)(void *ctx), void *ctx);

/* At any time; takes effect at once. */
void kube_lease_set_will(struct kube_lease *lease, enum kube_lease_will will);

/* An annotation of the Lease, as last seen; empty if there is none. Borrowed until the loop runs
 * on. */
struct str kube_lease_annotation(const struct kube_lease *lease, const char *key);

/* The fence: true only while we lead and the deadline has not passed. Cheap: ask before each write.
 */
bool kube_lease_may_write(const struct kube_lease *lease);
bool kube_lease_held(const struct kube_lease *lease);
struct str kube_lease_holder(const struct kube_lease *lease); /* empty: nobody, or not known */
int32_t kube_lease_transitions(const struct kube_lease *lease);
struct str kube_lease_uid(const struct kube_lease *lease); /* metadata.uid; empty: not known */
int64_t kube_lease_unheld_since(const struct kube_lease *lease); /* boot clock; 0: it is held */
int64_t kube_lease_expiry(const struct kube_lease *lease); /* boot clock; 0: nobody holds it */

struct kube_lease_stats {
	uint64_t won, lost, renewed, failed, watches;
	int64_t last_renewal_ns; /* how long the last one took */
};
const struct kube_lease_stats *kube_lease_stats(const struct kube_lease *lease);

/* ---- for controllers ---- */

struct kube_lease_emptying;

struct kube_lease_dead {
	struct kube_ref lease;     /* ns and name */
	struct str holder;         /* the exact identity that is dead */
	const char *field_manager; /* NULL: none */
	bool may_patch;            /* the caller has the verb patch: one request instead of two */
};

/* Empties the Lease of a dead holder by compare-and-swap: only while its holder is exactly that
 * one. holderIdentity "", leaseDurationSeconds 1, renewTime and acquireTime now, transitions as
 * they are; all else stays. done gets NULL, CONFLICT (somebody else holds it, or, without
 * may_patch, wrote it meanwhile), NOT_FOUND, or what went wrong. Class API: the write guard is
 * asked. Copies `dead`. */
int kube_lease_empty(struct kube_client *client, const struct kube_lease_dead *dead,
	void (*done)(void *ctx, const struct err *err), void *ctx,
	struct kube_lease_emptying **ret_emptying, struct err *err) must_check;
/* No callback after it. NULL is fine. Not from inside done. */
void kube_lease_empty_cancel(struct kube_lease_emptying *emptying);

#endif
