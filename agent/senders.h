/* What is known of the functions that we encrypt to, kept current by watches, and the content-key
 * windows to them. Layer: agent.
 *
 * The first use of a function starts a watch of its Leader records; once more than a few functions
 * of one namespace are in use, one watch of all Leader records there replaces them. What is not
 * used for ten minutes is forgotten, but for the pins of its keys. Everything is bounded. A window
 * ends with any change of a recipient's record, and while the watch that would tell is lost.
 */
#ifndef AGENT_SENDERS_H
#define AGENT_SENDERS_H

#include "agent/core.h"
#include "agent/recipients.h"
#include "pkg/envelope/window.h"

#include <sys/queue.h>

#define AGENT_SENDERS_FUNCTIONS_MAX 4096
#define AGENT_SENDERS_WATCHES_MAX   64
#define AGENT_SENDERS_NARROW_MAX    2   /* functions of one namespace with a watch of their own */
#define AGENT_SENDERS_WAITING_MAX   256 /* requests that wait for a first answer */
#define AGENT_SENDERS_WINDOWS_MAX   1024
#define AGENT_SENDERS_WAIT_NS       (5 * NS_PER_S)
#define AGENT_SENDERS_LOST_NS       (5 * NS_PER_S)
#define AGENT_SENDERS_IDLE_NS       (600 * NS_PER_S)
#define AGENT_SENDER_NAME_MAX       (63 + 1 + 63) /* "<namespace>/<function>" */
#define AGENT_SENDERS_VOUCH_NS      (1 * NS_PER_S)
#define AGENT_SENDERS_VOUCHERS_MAX  16 /* watches of functions that only send to us */

struct agent_senders;

struct agent_senders_options {
	bool refuse_broken; /* see agent_chooser */
	bool no_windows;    /* a content secret of its own for each message */
};

/* core outlives it. */
int agent_senders_new(struct agent_core *core, const struct agent_senders_options *options,
	struct agent_senders **ret_senders, struct err *err) must_check;
/* Waiters are forgotten without a call. NULL is fine. Returns NULL. Memory goes when the loop has
 * closed the timer. */
struct agent_senders *agent_senders_free(struct agent_senders *s);
CLEANUP_FREE(struct agent_senders, agent_senders_free);

/* Who waits for records. Zero but for again and ctx at the start; the caller owns the node and
 * keeps it until again was called or agent_senders_cancel. */
struct agent_senders_waiter {
	void (*again)(void *ctx); /* from the loop: ask again */
	void *ctx;
	int64_t until_ns; /* private, as the following */
	bool waiting;
	TAILQ_ENTRY(agent_senders_waiter) link;
};

#define AGENT_SENDERS_WAIT 1

/* The recipients of a function: borrowed until the loop runs on. AGENT_SENDERS_WAIT: not known yet,
 * w->again will be called (once), then ask again; after AGENT_SENDERS_WAIT_NS the answer is
 * NOT_READY. Problems: as agent_recipients_choose, and MALFORMED (a name). */
int agent_senders_find(struct agent_senders *s, struct str ns, struct str function,
	struct agent_senders_waiter *w, const struct agent_recipients **ret, struct err *err)
	must_check;
void agent_senders_cancel(struct agent_senders *s, struct agent_senders_waiter *w);

/* Counts a message and fills h->recipients; *ret_k and h's names are borrowed until the next call.
 */
int agent_senders_window(struct agent_senders *s, const struct agent_recipients *to,
	struct envelope_header *h, const struct secret **ret_k, struct err *err) must_check;

/* The signature of level origin that belongs to the window which agent_senders_window gave last;
 * what to sign where it has none (NULL); and keeping it. As in pkg/envelope/window.h. */
const struct pre_signature *agent_senders_origin(
	const struct agent_senders *s, const uint8_t cert_hash[static ENVELOPE_HASH_LEN]);
int agent_senders_origin_signing(struct agent_senders *s, struct envelope_context *envelope,
	const uint8_t cert_hash[static ENVELOPE_HASH_LEN], struct envelope_signing *ret,
	struct err *err) must_check;
void agent_senders_set_origin(struct agent_senders *s, const struct envelope_signing *signing,
	const struct pre_signature *signature);

/* Whether a certificate's issuer is, or was, a leader of the revision that it names. */
enum agent_vouched {
	AGENT_VOUCHED,
	AGENT_VOUCH_UNREADABLE, /* we may not read that namespace's records */
	AGENT_VOUCH_UNKNOWN,    /* there is no such record */
	AGENT_VOUCH_ISSUER,     /* the record does not know the issuer */
	AGENT_VOUCH_REVOKED,    /* the pod was revoked */
	AGENT_VOUCH_NO_ANSWER,  /* the API server does not answer now */
	AGENT_VOUCH_COUNT
};

/* By the Leader record of the certificate's namespace, function and revision; NULL: none. Pure. */
enum agent_vouched agent_vouch_judge(
	const struct crds_functionkey *record, const struct envelope_sender_cert *cert);

/* Judges it by the records that are at hand, or will be: AGENT_SENDERS_WAIT as in
 * agent_senders_find, for AGENT_SENDERS_VOUCH_NS at most. Whoever sends us messages chooses what is
 * looked for here, so that only a few watches are for that. */
int agent_senders_vouch(struct agent_senders *s, const struct envelope_sender_cert *cert,
	struct agent_senders_waiter *w, enum agent_vouched *ret_vouched, struct err *err)
	must_check;

/* For /v1/status and metrics. */
struct agent_senders_stats {
	size_t functions, watches, waiting, pins;
	uint64_t doubts[AGENT_DOUBT_COUNT];
	struct envelope_windows_stats windows;
};
struct agent_senders_stats agent_senders_stats(const struct agent_senders *s);

/* Each function in use: start with *at = 0; false at the end. to is NULL where its recipients are
 * not known at the moment. Borrowed until the loop runs on. */
struct agent_sender_row {
	struct str ns, function;
	const struct agent_recipients *to;
	int64_t used_ns;   /* boot clock */
	const char *watch; /* state of the watch that serves it */
};
bool agent_senders_next(const struct agent_senders *s, size_t *at, struct agent_sender_row *ret);

/* Where the recipients of a row are not known because a record changed: chooses them anew, as the
 * next message would. The function does not count as used. */
void agent_senders_choose(struct agent_senders *s, struct agent_sender_row *row);

/* changed is called, from the loop, when the functions in use or the recipients of one may have
 * changed: ask then, not from within. There is one such listener; NULL: none. */
void agent_senders_tell(struct agent_senders *s, void (*changed)(void *ctx), void *ctx);

/* Every Leader record of a function that is at hand, genuine or not: fn is called for each. */
void agent_senders_records(const struct agent_senders *s, struct str ns, struct str function,
	void (*fn)(void *ctx, const struct crds_functionkey *record), void *ctx);

#endif
