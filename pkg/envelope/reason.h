/* Why an envelope was refused: stable words, in err->detail and at the head of err->msg.
 *
 * Layer: envelope (base). The local API and metrics show these words: never renumber or reword,
 * only append. The class says what a caller does next; peers on the network are told none of it.
 */
#ifndef ENVELOPE_REASON_H
#define ENVELOPE_REASON_H

#include "pkg/base/err.h"

#define ENVELOPE_REASONS(X)                                                                      \
	X(MORE, NOT_READY, "more")                 /* the head is not complete yet */            \
	X(CBOR, INVALID, "malformed-cbor")         /* not deterministic CBOR */                  \
	X(SHAPE, INVALID, "malformed-message")     /* not the structure of envelope.cddl */      \
	X(VERSION, INVALID, "unsupported-version") /* typ or version of another format */        \
	X(SENDER, INVALID, "unsupported-sender-level")                                           \
	X(KIND, INVALID, "unexpected-kind")                                                      \
	X(LENGTH, INVALID, "wrong-length") /* not the length that the header states */           \
	X(CAPSULE, TAMPERED, "invalid-capsule")                                                  \
	X(NO_RECIPIENT, NO_KEY, "no-recipient") /* sealed to none of our keys */                 \
	X(WRAPPED, TAMPERED, "wrapped-secret")  /* the wrapped secret does not open */           \
	X(COMMITMENT, TAMPERED, "commitment")   /* header or secret was changed */               \
	X(BODY, TAMPERED, "body")               /* a body or a segment does not verify */        \
	X(TRUNCATED, TAMPERED, "truncated")     /* the bytes end too early */                    \
	X(TRAILING, INVALID, "trailing-bytes")                                                   \
	X(SIZE, TOO_LARGE, "too-large")                                                          \
	X(SENDER_REQUIRED, INVALID, "sender-required")        /* less than the receiver takes */ \
	X(SENDER_CERTIFICATE, TAMPERED, "sender-certificate") /* not its issuer's word */        \
	X(SENDER_EXPIRED, INVALID, "sender-certificate-expired") /* or not good yet */           \
	X(SENDER_SIGNATURE, TAMPERED, "sender-signature")        /* not the sender's message */

enum envelope_reason {
	ENVELOPE_REASON_NONE,
#define ENVELOPE_REASON_ENUM(name, class, text) ENVELOPE_REASON_##name,
	ENVELOPE_REASONS(ENVELOPE_REASON_ENUM)
#undef ENVELOPE_REASON_ENUM
		ENVELOPE_REASON_COUNT
};

/* The word of a reason; "other" for what is none. Never NULL. */
const char *envelope_reason_name(int reason);

/* Fills *err with the reason's class, its word and `what`, and returns -(int)class. Use REFUSE. */
int envelope_refuse(struct err *err, enum envelope_reason reason, const char *file, unsigned line,
	const char *what);

#define REFUSE(err, reason, what) \
	envelope_refuse((err), ENVELOPE_REASON_##reason, __FILE__, __LINE__, (what))

#endif
