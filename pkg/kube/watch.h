/* LIST and WATCH as a pure state machine. Layer: kube; no I/O, no timers, no loop.
 *
 * Whoever drives it (kube/informer.c, tests, a simulated world) does what kube_watch_next says and
 * tells what came of it. Rules: kubernetes.md 1.4 and 1.5, after client-go 0.36 and kube-rs:
 * - WatchList first; refused (INVALID), it falls back to a paged LIST for this attempt;
 * - ends and errors resume at the last resourceVersion. A new LIST comes only after Expired (410,
 *   too large a resourceVersion), after NOT_FOUND, and where the reader lost an object
 *   (kube_watch_lost): first at the last resourceVersion, refused again at "most recent";
 * - a clean end of a stream that lived a second or brought an event is resumed at once; else
 *   back-off 0.8 s, doubled to 8 s (client-go: 30 s), times 1 to 2, forgotten after 2 min;
 * - DENIED, NOT_FOUND and what the server calls wrong: 2 s, doubled to 30 s, times 1 to 1.2, and
 * the state says so (short at first: CRD, RBAC and their users are often installed together);
 * - a silent connection is given up: 30 s to the status, 30 s between bytes until the objects are
 *   there, then 150 s where the server sends bookmarks, and timeoutSeconds + 30 s in any case.
 * While initial objects come, their resourceVersions are not adopted: they are not in order.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include "pkg/base/env.h"
#include "pkg/kube/frame.h"
#include "pkg/kube/projection.h"

#define KUBE_RV_MAX       63
#define KUBE_CONTINUE_MAX (16u << 10)

/* What to do next. Every object in an action is the receiver's (kube_kind_free). */
enum kube_watch_do {
	KUBE_WATCH_WAIT,    /* until at_boot_ns, or until there is input */
	KUBE_WATCH_START,   /* start a stream: GET of the collection with `query` */
	KUBE_WATCH_STOP,    /* end the running stream; no input of it may follow */
	KUBE_WATCH_INIT,    /* a new set begins: collect it apart from what is there */
	KUBE_WATCH_ABANDON, /* forget that set */
	KUBE_WATCH_APPLY,  /* object was added or changed; between INIT and INIT_DONE: in the set */
	KUBE_WATCH_DELETE, /* object is gone; this is its last state */
	KUBE_WATCH_INIT_DONE, /* the set is whole: it replaces what is there; rv is its version */
	KUBE_WATCH_BOOKMARK,  /* all changes up to rv are known */
	KUBE_WATCH_TROUBLE,   /* err is worth telling; the machine goes on by itself */
};

struct kube_watch_action {
	enum kube_watch_do act;
	int64_t at_boot_ns;
	struct str query; /* encoded; borrowed until the next call, as rv and err */
	void *object;
	struct str rv;
	const struct err *err;
};

/* What people see. */
#define KUBE_WATCH_STATES(X)                                       \
	X(STARTING, "starting") /* nothing came yet */             \
	X(LISTING, "listing")   /* objects come */                 \
	X(WATCHING, "watching") /* the set is whole and kept so */ \
	X(RETRYING, "retrying") /* back-off after an error */      \
	X(DENIED, "denied")     /* credentials or policy say no */ \
	X(ABSENT, "absent")     /* the server does not know the kind */
#define KUBE_WATCH_STATE_ENUM(name, text) KUBE_WATCH_##name,
enum kube_watch_state { KUBE_WATCH_STATES(KUBE_WATCH_STATE_ENUM) KUBE_WATCH_STATE_COUNT };
const char *kube_watch_state_name(enum kube_watch_state state);

struct kube_watch_stats {
	uint64_t events; /* objects that came, initial ones too */
	uint64_t bookmarks;
	uint64_t relists;    /* sets begun after the first whole one */
	uint64_t restarts;   /* streams begun to resume */
	uint64_t idle_kills; /* streams given up for silence */
	uint64_t fallbacks;  /* WatchList refused */
	uint64_t errors;
	uint64_t undecodable; /* objects that were left out; each was told as TROUBLE */
	int64_t last_event_boot_ns;
};

struct kube_watch_spec {
	struct str label_selector, field_selector; /* plain text; copied */
	const struct kube_kind *kind;
	bool no_watch_list; /* LIST at once */
	uint32_t page;      /* objects a page; 0: 500 */
};

struct kube_watch;

/* env is borrowed and outlives the machine. NOMEM; TOO_LARGE: selectors. */
int kube_watch_new(const struct env *env, const struct kube_watch_spec *spec,
	struct kube_watch **ret_watch, struct err *err) must_check;

/* NULL is fine. Returns NULL. */
struct kube_watch *kube_watch_free(struct kube_watch *w);
CLEANUP_FREE(struct kube_watch, kube_watch_free);

/* The next action. Ask until it says WAIT: after new, after each input, and when at_boot_ns has
 * come. Never fails. */
void kube_watch_next(struct kube_watch *w, struct kube_watch_action *ret_action);

/* Inputs, in the order in which they come from a stream that START began. */
void kube_watch_status(struct kube_watch *w); /* a 2xx status came */
/* Borrowed until the next WAIT. Only after a WAIT. */
void kube_watch_bytes(struct kube_watch *w, const void *p, size_t n);
/* The stream is over; err NULL: cleanly. Also where it could not be started. */
void kube_watch_end(struct kube_watch *w, const struct err *err);

/* The receiver could not take an object (NOMEM, TOO_LARGE): begin a new set after back-off. */
void kube_watch_lost(struct kube_watch *w, const struct err *err);

/* Where it stands. The stats are borrowed. */
enum kube_watch_state kube_watch_state(const struct kube_watch *w);
struct str kube_watch_rv(const struct kube_watch *w); /* where it would resume; may be empty */
const struct kube_watch_stats *kube_watch_stats(const struct kube_watch *w);

#endif
