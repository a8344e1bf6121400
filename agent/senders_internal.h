/* Inside of agent/senders. Included by agent/senders*.c only. Layer: agent. */
#ifndef AGENT_SENDERS_INTERNAL_H
#define AGENT_SENDERS_INTERNAL_H

#include "agent/senders.h"
#include "pkg/base/map.h"
#include "pkg/kube/informer.h"

#define AGENT_NS_MAX     63
#define AGENT_FN_MAX     63
#define AGENT_SENDER_KEY (AGENT_NS_MAX + 1 + AGENT_FN_MAX + 1)

/* Watches the Leader records of one function, or (function empty) of a namespace. */
struct agent_sender_watch {
	struct agent_senders *s;
	char ns[AGENT_NS_MAX + 1], function[AGENT_FN_MAX + 1];
	struct kube_informer *informer;
	size_t by_function; /* index */
	int64_t used_ns;
	bool voucher;       /* nothing was sealed to it: it shows who vouches for senders */
	int64_t gave_up_ns; /* when somebody last waited for it in vain; 0: never */
	int64_t lost_ns;    /* since when it does not watch; 0: it does, or never did */
	struct err trouble; /* the last; class 0: none since it was in sync */
};

/* One block: there may be thousands. */
struct agent_sender_function {
	struct str ns, function;     /* in text */
	struct agent_recipients *to; /* NULL: to be chosen from the records at hand */
	int64_t used_ns;
	char text[];
};

struct agent_senders {
	struct agent_core *core;
	struct agent_pins *pins;
	struct agent_senders_options options;
	struct map *watches;              /* "ns" or "ns/function" -> agent_sender_watch */
	struct map *functions;            /* "ns/function" -> agent_sender_function */
	struct envelope_windows *windows; /* NULL: nothing was sealed yet */
	TAILQ_HEAD(, agent_senders_waiter) waiters;
	size_t waiting;
	uv_timer_t timer, wake;
	int open_timers;
	bool ticking;
	int64_t swept_ns;
	uint64_t doubts[AGENT_DOUBT_COUNT];
	void (*changed)(void *ctx); /* NULL: nobody listens */
	void *changed_ctx;
};

/* -- senders_watch.c -- */

/* The watch that serves a function: a new one if there is none. NOT_READY: too many. */
int agent_senders_watch(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_watch **ret_watch, struct err *err) must_check;
/* As agent_senders_watch, of what only sends to us. */
int agent_senders_voucher(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_watch **ret_watch, struct err *err) must_check;
/* Whether these are names of a namespace and a function: what comes from outside is checked before
 * it gets into requests. */
bool agent_senders_names(struct str ns, struct str function);
/* The waiter stands in the queue. NOT_READY: it is full. */
int agent_senders_wait(struct agent_senders *s, struct agent_senders_waiter *w, struct err *err)
	must_check;
void agent_senders_keep_ticking(struct agent_senders *s);
/* NULL if there is none. */
struct agent_sender_watch *agent_senders_watch_find(
	const struct agent_senders *s, struct str ns, struct str function);
size_t agent_sender_watch_records(const struct agent_sender_watch *w, struct str function,
	const struct crds_functionkey *const **ret_records);
void agent_sender_watch_remove(struct agent_senders *s, struct agent_sender_watch *w);
/* Ends windows of lost watches, watches that a wider one replaced, and what is idle. */
void agent_senders_tend_watches(struct agent_senders *s, int64_t now);

/* -- senders.c -- */

/* "ns/function" or, without a function, "ns". */
struct str agent_sender_key(struct str ns, struct str function, char dst[static AGENT_SENDER_KEY]);
/* Something of that function changed: its windows end, and its recipients are chosen anew. */
void agent_senders_changed(struct agent_senders *s, struct str ns, struct str function);
/* Whoever waits asks again, as soon as the loop runs on. */
void agent_senders_wake(struct agent_senders *s);
/* Ends the windows to its recipients. */
void agent_sender_end_windows(struct agent_senders *s, const struct agent_sender_function *f);

#endif
