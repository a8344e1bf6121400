/* Content-key windows of a sender: asymmetric work once a minute instead of once a message.
 *
 * Layer: envelope, archive envelope_seal. A window is a content secret k and its wrapped copies
 * for one exact set of recipients (keys, epochs, names). It ends after 60 s or 2^20 messages, when
 * a recipient's record changes, and when the watch that would tell is lost. Each message has its
 * own id, and so its own content key: no counters, nothing is persisted, a restart makes a new k.
 * Secrets stand in locked memory; windows are bounded, the least recently used one goes first.
 */
#ifndef ENVELOPE_WINDOW_H
#define ENVELOPE_WINDOW_H

#include "pkg/envelope/seal.h"
#include "pkg/envelope/sender.h"

#define ENVELOPE_WINDOW_NS       (60 * NS_PER_S)
#define ENVELOPE_WINDOW_MESSAGES (1u << 20)
#define ENVELOPE_WINDOWS_MAX     4096

struct envelope_windows;

struct envelope_windows_stats {
	uint64_t hits, misses, evicted, dropped;
	size_t live;
	bool locked; /* false: the kernel refused to lock the memory */
};

/* At most max (1 … ENVELOPE_WINDOWS_MAX) windows. env and pre are borrowed and must outlive them.
 * The caller owns *ret. INVALID, NOMEM. */
int envelope_windows_new(const struct env *env, struct pre_context *pre, size_t max,
	struct envelope_windows **ret, struct err *err) must_check;

/* Wipes and frees. NULL is fine. Returns NULL. */
struct envelope_windows *envelope_windows_free(struct envelope_windows *w);
CLEANUP_FREE(struct envelope_windows, envelope_windows_free);

/* Counts one message to `targets` (any order) and fills h->recipients; *ret_k is borrowed until
 * the next call on w. Opens a new window where there is none that is fresh. Then
 * envelope_header_fresh and envelope_body_seal or envelope_sealer_begin. h's names borrow from w
 * likewise. SHAPE (none, too many, a name, two equal keys), TERMINAL, NOMEM. */
int envelope_window_use(struct envelope_windows *w, struct envelope_targets targets,
	struct envelope_header *h, const struct secret **ret_k, struct err *err) must_check;

/* The signature of level ORIGIN that is stored, for this certificate, with the window which
 * envelope_window_use gave last; NULL if there is none. Borrowed until the next call on w. */
const struct pre_signature *envelope_window_origin(
	const struct envelope_windows *w, const uint8_t cert_hash[static ENVELOPE_HASH_LEN]);

/* What to sign so that there is one: envelope_origin_signing for the window which
 * envelope_window_use gave last. Once a window, and again for another certificate. BUG if no window
 * is open, TERMINAL. */
int envelope_window_origin_signing(struct envelope_windows *w, struct envelope_context *ctx,
	const uint8_t cert_hash[static ENVELOPE_HASH_LEN], struct envelope_signing *ret,
	struct err *err) must_check;

/* Stores the signature over *signing with the window that it was asked for, in the place of an
 * older one. False: that window is over; who waits with a message of it can still use the
 * signature. */
bool envelope_window_set_origin(struct envelope_windows *w, const struct envelope_signing *signing,
	const struct pre_signature *signature);

/* Ends every window with this key among its recipients: its record changed. */
void envelope_window_drop(struct envelope_windows *w, const struct pre_public_key *key);

/* Ends all windows: a watch was lost for too long (more than 5 s), or the process was told to. */
void envelope_window_drop_all(struct envelope_windows *w);

/* Wipes what is over: call now and then, so that secrets do not outlive their time at rest. */
void envelope_windows_sweep(struct envelope_windows *w);

/* Since they were made, and what is open now; a copy. */
struct envelope_windows_stats envelope_windows_stats(const struct envelope_windows *w);

#endif
