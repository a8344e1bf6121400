/* Who sent a message: sender certificates, and what a sender's keeper signs.
 *
 * Layer: envelope (core archive), for whoever issues, signs, seals or opens. No secrets here: the
 * keeper signs with pre_sign and pre_sign_cose, everybody verifies with what is below.
 *
 * A certificate says which replica of which function holds an identity key. The leader of the
 * sender's revision issues it (issuer: the leader's identity key), it travels inside the encrypted
 * body, and it needs no record of the sender to be verified: it outlives the pod. What a receiver
 * must know from elsewhere is one thing only, that `issuer` is or was a leader identity of that
 * revision.
 *
 * Levels (field 10 of the header, authenticated):
 *	NONE     nothing is known; the body is the plaintext.
 *	ORIGIN   one signature for each content secret k, over the exact list of recipients and a
 *	         value derived from k: whoever made this message had k, and k came from the sender.
 *	         Every recipient has k too.
 *	MESSAGE  one signature for each message, over its header and its plaintext: nobody but the
 *	         sender made it, for these recipients.
 *
 * Signatures are COSE (RFC 9052) ES256K over secp256k1 with low s:
 *
 *	Sig_structure = ["Signature1", protected, << [label, bound, SHA-256(certificate)] >>,
 *payload]
 *
 *	         label                    bound                      payload
 *	ORIGIN   "functionkey/v1/origin"  SHA-256(recipient list)    HMAC(PRK, label ‖ 01),
 *	                                                             PRK = HMAC(bound, k)
 *	MESSAGE  "functionkey/v1/sender"  h, SHA-256(protected       SHA-256(plaintext)
 *	                                  header of the envelope)
 *
 * protected is {1: -47}, and for MESSAGE {1: -47, 258: -16}: a hash envelope (RFC 9995), whose
 * payload is a hash, so that a keeper signs three hashes whatever the size of the message. The
 * payload is detached (nil). A keeper builds the structure itself, of these hashes:
 * envelope_signing_bytes.
 */
#ifndef ENVELOPE_SENDER_H
#define ENVELOPE_SENDER_H

#include "pkg/envelope/body.h"

#define ENVELOPE_CERT_MAX          768 /* bytes of an encoded certificate */
#define ENVELOPE_CERT_TEXT_MAX     253 /* one name; of cluster, namespace and function: 63 */
#define ENVELOPE_CERT_UID_LEN      16
#define ENVELOPE_CERT_CONTEXT      "functionkey/v1/certificate" /* for pre_sign, pre_verify */
#define ENVELOPE_SENDER_SKEW_S     60                           /* clocks may differ by that much */
#define ENVELOPE_SIGNING_BYTES_MAX 160

/* A certificate. Texts are borrowed: from the bytes that were parsed, from whoever filled them. */
struct envelope_sender_cert {
	struct str cluster;  /* UID of the revision's Leader record: no other cluster has it, and
				agents can read it; 1 … 63 of a-z 0-9 - . */
	struct str ns;       /* 1 … 63 of a-z 0-9 - . */
	struct str function; /* 1 … 63 of A-Z a-z 0-9 - . _ */
	struct str revision; /* 1 … 253 of a-z 0-9 - . */
	struct str pod;      /* 1 … 253 of a-z 0-9 - . */
	uint8_t uid[ENVELOPE_CERT_UID_LEN]; /* of the pod */
	struct pre_public_key key;          /* the sender's identity key */
	int64_t epoch, term;                /* of the leadership that issued it; 0 or more */
	int64_t nbf, exp;                   /* Unix seconds; 0 <= nbf <= exp */
	struct pre_public_key issuer;       /* the leader's identity key */
	struct pre_signature signature;     /* by issuer, over the body */
	struct str body;                    /* what is signed, as received; set by parsing only */
};

/* Appends what the issuer signs, everything up to exp, as deterministic CBOR:
 * pre_sign(leader's identity key, ENVELOPE_CERT_CONTEXT, these bytes). issuer and signature do not
 * count. SHAPE if a field is out of its bounds, SIZE if the whole certificate would be too large;
 * out has its former length then. */
int envelope_sender_cert_body(
	const struct envelope_sender_cert *c, struct buf *out, struct err *err) must_check;

/* Appends the whole certificate, with issuer and signature. As envelope_sender_cert_body. */
int envelope_sender_cert_encode(
	const struct envelope_sender_cert *c, struct buf *out, struct err *err) must_check;

/* Strict: bytes must be exactly what envelope_sender_cert_encode would make. Keys have the form of
 * compressed points, but only verifying shows whether they are points. CBOR, SHAPE, SIZE,
 * TRAILING. */
int envelope_sender_cert_parse(struct str bytes, struct envelope_sender_cert *ret, struct err *err)
	must_check;

/* The certificate of a parsed certificate is the issuer's word, and it is good at `when` (Unix
 * seconds; ENVELOPE_SENDER_SKEW_S is allowed at both ends). `issuer` is the key that the caller
 * knows: NULL takes the one that the certificate names, and the caller checks that one later.
 * SENDER_CERTIFICATE (TAMPERED: another issuer, or the signature), SENDER_EXPIRED (INVALID: not
 * good yet, or not any more), BUG for one that was not parsed. */
int envelope_sender_cert_verify(struct pre_context *pre, const struct envelope_sender_cert *c,
	const struct pre_public_key *issuer, int64_t when, struct err *err) must_check;

/* Only the second half of it: times. SENDER_EXPIRED. */
int envelope_sender_cert_at(const struct envelope_sender_cert *c, int64_t when, struct err *err)
	must_check;

/* SHA-256 of an encoded certificate: what signatures name it by, and a name for caches. TERMINAL.
 */
int envelope_sender_cert_hash(struct envelope_context *ctx, struct str cert,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* What is to be signed: of fixed size, hashes only. */
struct envelope_signing {
	enum envelope_sender_level level; /* ORIGIN or MESSAGE */
	uint8_t bound[ENVELOPE_HASH_LEN];
	uint8_t cert[ENVELOPE_HASH_LEN];
	uint8_t payload[ENVELOPE_HASH_LEN];
};

/* COSE's Sig_structure. */
struct envelope_signing_bytes {
	uint8_t b[ENVELOPE_SIGNING_BYTES_MAX];
	size_t n;
};

/* For pre_sign_cose(identity key, these bytes). One encoder for who signs and who verifies. The
 * level must be ORIGIN or MESSAGE. */
struct envelope_signing_bytes envelope_signing_bytes(const struct envelope_signing *s);

/* The signature is key's. SENDER_SIGNATURE. */
int envelope_signing_verify(struct pre_context *pre, const struct pre_public_key *key,
	const struct envelope_signing *s, const struct pre_signature *signature, struct err *err)
	must_check;

/* What the sender signs for level ORIGIN, once for each k: the recipients of h (in order) and k.
 * SHAPE, TERMINAL. */
int envelope_origin_signing(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, const uint8_t cert_hash[static ENVELOPE_HASH_LEN],
	struct envelope_signing *ret, struct err *err) must_check;

/* Signatures that verified: so that a certificate, and a window's origin, cost asymmetric work
 * once. A bounded set of hashes over everything that was verified, without secrets; the least
 * recently used one makes room. That something verified is true for ever: who distrusts an issuer
 * says so where issuers are judged, not here. */
struct envelope_verified;

#define ENVELOPE_VERIFIED_MAX 65536

/* At most max (1 … ENVELOPE_VERIFIED_MAX) hashes. env is borrowed. The caller owns *ret. INVALID,
 * NOMEM, TERMINAL. */
int envelope_verified_new(const struct env *env, size_t max, struct envelope_verified **ret,
	struct err *err) must_check;

/* NULL is fine. Returns NULL. */
struct envelope_verified *envelope_verified_free(struct envelope_verified *v);
CLEANUP_FREE(struct envelope_verified, envelope_verified_free);

/* For the opener, signed.h. */
bool envelope_verified_has(
	struct envelope_verified *v, const uint8_t hash[static ENVELOPE_HASH_LEN]);
void envelope_verified_add(
	struct envelope_verified *v, const uint8_t hash[static ENVELOPE_HASH_LEN]);

struct envelope_verified_stats {
	uint64_t hits, misses, evicted;
	size_t live;
};

/* Since it was made, and what it has now; a copy. */
struct envelope_verified_stats envelope_verified_stats(const struct envelope_verified *v);

#endif
