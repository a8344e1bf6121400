/* The protected header of an envelope: what it holds, its bytes, and nothing secret.
 *
 * Layer: envelope (base, and the public value types of pre). envelope.cddl is the grammar;
 * encoding is deterministic CBOR (RFC 8949, 4.2), so one header has exactly one encoding, and the
 * decoder takes no other. All of it is authenticated by the body's key; all of it is readable by
 * whoever carries the message.
 */
#ifndef ENVELOPE_HEADER_H
#define ENVELOPE_HEADER_H

#include "pkg/base/buf.h"
#include "pkg/envelope/reason.h"
#include "pkg/pre/pre.h"

#define ENVELOPE_PROTECTED_MAX    8192
#define ENVELOPE_RECIPIENTS_MAX   16
#define ENVELOPE_WHOLE_MAX        (1u << 20)   /* plaintext bytes of ENVELOPE_WHOLE */
#define ENVELOPE_STREAM_MAX       (1ull << 40) /* and of ENVELOPE_STREAM: 2^24 segments */
#define ENVELOPE_SENDER_EXTRA_MAX 1024         /* and what a sender adds to them: signed.h */
#define ENVELOPE_ID_LEN           16
#define ENVELOPE_IV_LEN           12
#define ENVELOPE_HASH_LEN         32
#define ENVELOPE_TYPE_MAX         255  /* media type of the plaintext */
#define ENVELOPE_ATTRIBUTE_MAX    1024 /* value of one CloudEvents attribute */
#define ENVELOPE_NS_MAX           63
#define ENVELOPE_REVISION_MAX     253
#define ENVELOPE_NAME_MAX         (ENVELOPE_NS_MAX + 1 + ENVELOPE_REVISION_MAX)

enum envelope_mode {
	ENVELOPE_WHOLE,  /* A256GCM: one COSE_Encrypt0 with the body inside; at most 1 MiB */
	ENVELOPE_STREAM, /* the body follows the CBOR item in segments of 64 KiB */
};

enum envelope_kind {
	ENVELOPE_EVENT,
	ENVELOPE_REQUEST,
	ENVELOPE_RESPONSE,
	ENVELOPE_KFRAG,
	ENVELOPE_SHARE,
	ENVELOPE_KIND_COUNT
};

/* A set of kinds, for openers: ENVELOPE_KINDS(EVENT) | ENVELOPE_KINDS(REQUEST). */
#define ENVELOPE_KINDS(name) (1u << ENVELOPE_##name)

/* What is known about the sender: sender.h. body.h and open.h take messages of level NONE only,
 * signed.h takes all. */
enum envelope_sender_level {
	ENVELOPE_SENDER_NONE,
	ENVELOPE_SENDER_ORIGIN,
	ENVELOPE_SENDER_MESSAGE,
	ENVELOPE_SENDER_COUNT
};

/* CloudEvents attributes that an envelope can carry, in the order of their encoded names. They are
 * compared with the outer headers by whoever knows the transport, not by this library. */
#define ENVELOPE_ATTRIBUTES(X)        \
	X(ID, "id")                   \
	X(TIME, "time")               \
	X(TYPE, "type")               \
	X(SOURCE, "source")           \
	X(SUBJECT, "subject")         \
	X(DATASCHEMA, "dataschema")   \
	X(SPECVERSION, "specversion") \
	X(DATACONTENTTYPE, "datacontenttype")

enum envelope_attribute {
#define ENVELOPE_ATTRIBUTE_ENUM(name, text) ENVELOPE_CE_##name,
	ENVELOPE_ATTRIBUTES(ENVELOPE_ATTRIBUTE_ENUM)
#undef ENVELOPE_ATTRIBUTE_ENUM
		ENVELOPE_ATTRIBUTE_COUNT
};

/* "specversion", …; NULL for what is none. */
const char *envelope_attribute_name(enum envelope_attribute a);

#define ENVELOPE_ALG_UMBRAL 1 /* Umbral on secp256k1; further schemes are further numbers */

struct envelope_recipient {
	uint64_t alg; /* not ENVELOPE_ALG_UMBRAL: only fp is set, nobody here opens it */
	uint64_t epoch;
	struct pre_fingerprint fp;
	struct str name; /* "<namespace>/<revision>"; borrowed */
	uint8_t capsule[PRE_CAPSULE_LEN];
	uint8_t wrapped[PRE_WRAPPED_LEN];
};

/* A value. Strings are borrowed: from the received bytes after decoding, from whoever filled them
 * before encoding. Zero is a valid start for filling: an event, whole, no attributes. */
struct envelope_header {
	enum envelope_mode mode;
	enum envelope_kind kind;
	enum envelope_sender_level sender;
	struct str type; /* media type of the plaintext, 1 … 255 printable ASCII characters */
	uint8_t id[ENVELOPE_ID_LEN];
	uint8_t iv[ENVELOPE_IV_LEN]; /* ENVELOPE_WHOLE only */
	uint64_t iat;                /* Unix seconds */
	uint64_t exp;                /* Unix seconds; meaningful if has_exp */
	uint64_t length;             /* of what is encrypted; meaningful if has_length */
	bool has_exp;
	bool has_length;
	bool has_parent;                    /* required for ENVELOPE_RESPONSE */
	bool has_context;                   /* required for, and only for, KFRAG and SHARE */
	uint8_t parent[ENVELOPE_HASH_LEN];  /* SHA-256 of the request's or parent's protected bytes
					     */
	uint8_t context[ENVELOPE_HASH_LEN]; /* SHA-256 of the grant's or share's context */
	struct str attributes[ENVELOPE_ATTRIBUTE_COUNT]; /* p == NULL: absent; "" is present */
	/* 1 … ENVELOPE_RECIPIENTS_MAX; a response may have none: response.h */
	size_t recipient_count;
	struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX]; /* strictly ascending fp */
	struct str recipient_bytes; /* the list as it was received; set by decoding only */
};

/* Appends the protected map. Checks everything that the decoder checks: SHAPE if a field is out
 * of its bounds or recipients are not strictly ascending; SIZE past ENVELOPE_PROTECTED_MAX. */
int envelope_header_encode(const struct envelope_header *h, struct buf *out, struct err *err)
	must_check;

/* Strict: the bytes must be exactly what envelope_header_encode would make (except for entries of
 * recipient schemes that are unknown here, which are skipped). Strings of *ret point into
 * `protected`. CBOR, SHAPE, VERSION, SIZE. */
int envelope_header_decode(struct str protected, struct envelope_header *ret, struct err *err)
	must_check;

/* Puts recipients into the order that the format wants. SHAPE if two have one fingerprint. */
int envelope_recipients_sort(struct envelope_header *h, struct err *err) must_check;

/* The entry for a key of ours, by fingerprint alone, never by trial; NULL if there is none of a
 * known scheme. The caller compares name and epoch with what it knows of that key. */
const struct envelope_recipient *envelope_recipient_find(
	const struct envelope_header *h, const struct pre_fingerprint *fp);

#endif
