/* Sealing and opening messages of every sender level: body.h with the sender inside.
 *
 * Layer: envelope (core archive). What is encrypted, and what field 7 of the header counts, is
 *
 *	NONE             plaintext
 *	ORIGIN           origin ‖ plaintext
 *	MESSAGE, WHOLE   certificate ‖ plaintext ‖ tail
 *	MESSAGE, STREAM  origin ‖ plaintext ‖ tail
 *
 *	origin = COSE_Sign1 {1: -47}, {-70003: certificate}, nil, signature over the window
 *	tail   = COSE_Sign1 {1: -47, 258: -16}, {}, nil, signature over header and plaintext
 *
 * so carriers do not learn the sender. Messages of level NONE are those of body.h to the byte.
 *
 * Sealing takes two steps where a keeper signs, who answers later:
 *
 *	envelope_window_use(windows, targets, &h, &k)        or any other k
 *	ORIGIN, and MESSAGE as STREAM: once a window,
 *		envelope_window_origin; if it has none: envelope_origin_signing, ask the keeper,
 *		envelope_window_set_origin
 *	h.sender = level; h.length = plaintext + envelope_sender_overhead(&h, cert.n)
 *	envelope_signed_sealer_begin, _add …
 *	MESSAGE: envelope_signed_sealer_signing, ask the keeper
 *	envelope_signed_sealer_end
 *
 * Between _signing and _end any time may pass: the sealer needs neither k nor the plaintext again.
 *
 * Output buffers need room for ENVELOPE_OUT_ROOM(n) + ENVELOPE_SENDER_EXTRA_MAX.
 */
#ifndef ENVELOPE_SIGNED_H
#define ENVELOPE_SIGNED_H

#include "pkg/envelope/sender.h"

#define ENVELOPE_SENDER_ORIGIN_EXTRA 80 /* bytes of `origin` beside the certificate */
#define ENVELOPE_SENDER_TAIL         79

/* How many bytes the sender adds, by level and mode of h and the size of his certificate. */
size_t envelope_sender_overhead(const struct envelope_header *h, size_t cert_len);

/* What a sender shows. cert is borrowed during the call only. */
struct envelope_credentials {
	struct str cert;                    /* encoded */
	const struct pre_signature *origin; /* for ORIGIN, and for MESSAGE as STREAM; else NULL */
};

/* A message that is made as its plaintext arrives. */
struct envelope_signed_sealer {
	struct envelope_sealer sealer;
	void *md; /* EVP_MD_CTX over the plaintext; MESSAGE only */
	struct envelope_signing signing;
	bool asked; /* the plaintext is complete, the signature is to come */
};

/* Wipes and frees; the struct is then zero. Repeatable, NULL-safe, fine on a zeroed struct. */
void envelope_signed_sealer_done(struct envelope_signed_sealer *s);
CLEANUP_DONE(struct envelope_signed_sealer, envelope_signed_sealer_done);

/* As envelope_sealer_begin, for any level; `with` may be NULL for NONE. ENVELOPE_WHOLE needs
 * has_length, and where there is a length it counts the overhead. SHAPE also for a certificate or
 * a signature that is missing. Nothing is verified: the sender's own certificate is his affair. */
int envelope_signed_sealer_begin(struct envelope_signed_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct secret *k,
	const struct envelope_credentials *with, struct buf *out, struct err *err) must_check;

/* As envelope_sealer_add: plaintext only. BUG after envelope_signed_sealer_signing. */
int envelope_signed_sealer_add(struct envelope_signed_sealer *s, struct str bytes, struct buf *out,
	struct err *err) must_check;

/* MESSAGE only: the plaintext is complete; *ret is what to sign. BUG for other levels. */
int envelope_signed_sealer_signing(
	struct envelope_signed_sealer *s, struct envelope_signing *ret, struct err *err) must_check;

/* As envelope_sealer_end. `signature` is NULL, except for MESSAGE: the answer to
 * envelope_signed_sealer_signing. BUG where that does not fit. */
int envelope_signed_sealer_end(struct envelope_signed_sealer *s,
	const struct pre_signature *signature, struct buf *out, struct err *err) must_check;

/* What openers need. Everything is borrowed and must outlive them. */
struct envelope_sender_check {
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct envelope_verified *verified; /* NULL: nothing is remembered */
	enum envelope_sender_level minimum; /* what is less is refused: SENDER_REQUIRED */
};

/* The opposite: fed with the bytes after message.body_at. */
struct envelope_signed_opener {
	struct envelope_opener opener;
	const struct envelope_sender_check *check;
	void *md; /* EVP_MD_CTX over the plaintext; MESSAGE only */
	enum envelope_sender_level stated;
	enum envelope_sender_level level; /* verified so far */
	struct envelope_signing origin;   /* ORIGIN, and MESSAGE as STREAM: what must be signed */
	struct envelope_signing message;
	int64_t iat;
	size_t extra; /* bytes of origin or certificate, and tail, once head_seen */
	bool head_seen;
	bool dead;
	uint8_t cert[ENVELOPE_CERT_MAX];
	size_t cert_len;
	uint8_t tail[ENVELOPE_SENDER_TAIL]; /* STREAM: the last bytes so far, not released */
	size_t tail_len;
};

/* Wipes and frees; the struct is then zero. Repeatable, NULL-safe, fine on a zeroed struct. */
void envelope_signed_opener_done(struct envelope_signed_opener *o);
CLEANUP_DONE(struct envelope_signed_opener, envelope_signed_opener_done);

/* As envelope_opener_begin, for every level. SENDER_REQUIRED for a level below the minimum, before
 * anything is decrypted. */
int envelope_signed_opener_begin(struct envelope_signed_opener *o,
	const struct envelope_sender_check *check, const struct envelope_message *m,
	const struct secret *k, struct err *err) must_check;

/* As envelope_opener_add: appends plaintext only, nothing of WHOLE, and of STREAM nothing before
 * the origin has verified. On failure out has its former length. CBOR, SHAPE, SIZE, TRUNCATED (the
 * sender's part), SENDER_CERTIFICATE, SENDER_EXPIRED (at the time that the header states),
 * SENDER_SIGNATURE. */
int envelope_signed_opener_add(struct envelope_signed_opener *o, struct str bytes, struct buf *out,
	struct err *err) must_check;

/* As envelope_opener_end. Only success means that the message is complete and, at level MESSAGE,
 * the sender's: a stream's receiver has until then what is good for ORIGIN, and aborts if this
 * fails. */
int envelope_signed_opener_end(struct envelope_signed_opener *o, struct buf *out, struct err *err)
	must_check;

/* What has been verified so far: NONE, then ORIGIN as soon as a stream gave its first bytes, the
 * stated level after _end. */
enum envelope_sender_level envelope_signed_opener_level(const struct envelope_signed_opener *o);

/* False while the level is NONE. Else *ret is the sender's certificate, whose texts point into *o:
 * signed by the issuer that it names, good when the message says it was made, and its key signed
 * what the level says. THE CALLER MUST STILL CHECK that ret->issuer is or was a leader identity of
 * ret's cluster, namespace, function and revision: anybody can issue certificates to himself. */
bool envelope_signed_opener_cert(
	const struct envelope_signed_opener *o, struct envelope_sender_cert *ret);

/* Bytes of plaintext, where they were announced and the sender's part has been read (at level NONE:
 * at once); false else. */
bool envelope_signed_opener_length(const struct envelope_signed_opener *o, uint64_t *ret_length);

#endif
