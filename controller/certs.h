/* The webhook's certificates, made and rotated by ourselves: a pure step from what the Secret holds
 * to what it shall hold. Layer: controller (libcrypto). Keys here serve TLS of the webhook and
 * nothing else; whoever has them can answer admission reviews in our name, which policy-injected
 * then judges.
 *
 * One certificate authority of our own, replaced long before its end in three writes, each of which
 * leaves something that works: the next authority appears beside the one that signs (both are
 * trusted from then on), later it signs, later the old one is dropped. Keys are P-256.
 * kubernetes.md 2.4.
 */
#ifndef CONTROLLER_CERTS_H
#define CONTROLLER_CERTS_H

#include "pkg/base/buf.h"
#include "pkg/base/env.h"

#define CONTROLLER_CERTS_NAMES   8
#define CONTROLLER_CERTS_PEM_MAX (16u << 10) /* of one text */

/* The texts of the Secret, in its order. All PEM, empty: absent. */
#define CONTROLLER_CERTS(X)                                                       \
	X(CA, "ca.crt") /* signs; with cert-manager: what it gave */              \
	X(CA_KEY, "ca.key")                                                       \
	X(OTHER, "other-ca.crt") /* the next one (with key), or the one before */ \
	X(OTHER_KEY, "other-ca.key")                                              \
	X(SERVING, "tls.crt")                                                     \
	X(SERVING_KEY, "tls.key")
enum controller_certs_text {
#define CONTROLLER_CERTS_ENUM(name, text) CONTROLLER_##name,
	CONTROLLER_CERTS(CONTROLLER_CERTS_ENUM)
#undef CONTROLLER_CERTS_ENUM
		CONTROLLER_CERTS_TEXTS
};

/* "ca.crt", …: keys of the Secret's data. */
extern const char *const controller_certs_names[CONTROLLER_CERTS_TEXTS];

struct controller_certs_view {
	struct str have[CONTROLLER_CERTS_TEXTS];
	struct str names[CONTROLLER_CERTS_NAMES]; /* DNS names and IP addresses to serve as */
	size_t names_len;
	int64_t ca_life_ns, serving_life_ns;
	bool published; /* API servers were told to trust all that have[] holds */
};

struct controller_certs_plan {
	const char *why; /* a literal for people; NULL: nothing is due */
	struct buf
		texts[CONTROLLER_CERTS_TEXTS]; /* what shall stand there; only where why is set */
	int64_t wake_ns; /* wall time of the next look, where nothing is due */
};
void controller_certs_plan_done(struct controller_certs_plan *p);
CLEANUP_DONE(struct controller_certs_plan, controller_certs_plan_done);

/* One write at a time: look again once it is seen. NOMEM, TERMINAL (no randomness). */
int controller_certs_step(const struct controller_certs_view *v, const struct env *env,
	struct controller_certs_plan *ret_plan, struct err *err) must_check;

/* What API servers shall trust: both authorities. */
int controller_certs_bundle(const struct str have[static CONTROLLER_CERTS_TEXTS], struct buf *b,
	struct err *err) must_check;

/* When the first certificate of a PEM text ends, wall time; 0: there is none. */
int64_t controller_certs_not_after(struct str pem);

#endif
