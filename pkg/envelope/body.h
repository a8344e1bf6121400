/* Bodies under a content secret k: the key schedule, whole bodies, streams.
 *
 * Layer: envelope (base, libcrypto). Knows no recipient keys: whoever has k (from pkg/envelope's
 * window or unwrap functions, or from a keeper) can seal and open bodies.
 *
 *	h      = SHA-256(protected bytes)
 *	PRK    = HMAC-SHA256(h, k)
 *	CEK    = HMAC-SHA256(PRK, "functionkey/v1/body" ‖ 01)
 *	commit = HMAC-SHA256(PRK, "functionkey/v1/commit" ‖ 01)
 *
 * The message id inside the header makes CEK new for every message under one k. The commitment is
 * compared in constant time before anything is decrypted.
 *
 * A stream is cut into segments of 64 KiB, each with a tag; nonce = be88(counter) ‖ last; the last
 * segment is empty only if the whole plaintext is. Output leaves only after its tag verified, but
 * that the stream is complete is known only when envelope_opener_end succeeds: a receiver treats
 * what it got before as provisional.
 */
#ifndef ENVELOPE_BODY_H
#define ENVELOPE_BODY_H

#include "pkg/base/env.h"
#include "pkg/envelope/message.h"

#define ENVELOPE_SEGMENT      65536u
#define ENVELOPE_SEGMENTS_MAX (1u << 24)

/* The most that one call of _add with n bytes, or _end, appends to its output: give the buffer at
 * least this room. (Whole bodies are released by envelope_opener_end: up to ENVELOPE_WHOLE_MAX.) */
#define ENVELOPE_OUT_ROOM(n) \
	((n) + ENVELOPE_SEGMENT + ((n) / ENVELOPE_SEGMENT + 2) * ENVELOPE_TAG_LEN)

/* Fetched digests and ciphers and scratch memory. For one thread at a time; everything here is
 * fetched at the start, so that it works in a sandbox without files. */
struct envelope_context;

/* env (clock and randomness) is borrowed and must outlive the context. The caller owns *ret.
 * NOMEM, TERMINAL. */
int envelope_context_new(const struct env *env, struct envelope_context **ret, struct err *err)
	must_check;

/* NULL is fine. Returns NULL. Contexts must outlive the sealers and openers that use them. */
struct envelope_context *envelope_context_free(struct envelope_context *ctx);
CLEANUP_FREE(struct envelope_context, envelope_context_free);

/* Gives h what makes a message unique: a random id, a random IV, and the time. Call it once for
 * every message, before sealing. TERMINAL without randomness; h is then unusable. */
int envelope_header_fresh(struct envelope_context *ctx, struct envelope_header *h, struct err *err)
	must_check;

/* SHA-256, for parents (of protected bytes) and contexts (of a grant's statement). */
int envelope_hash(struct envelope_context *ctx, struct str bytes,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* Seals a whole message under k: head and body appended to out. The header's mode must be
 * ENVELOPE_WHOLE; its recipients carry k; if has_length, length must be the plaintext's. SHAPE,
 * LENGTH, SIZE, NOMEM. On failure out has its former length. */
int envelope_body_seal(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, struct str plaintext, struct buf *out, struct err *err) must_check;

/* Compares the message's commitment with k, in constant time. COMMITMENT: k is not the secret
 * that this header was sealed under. Only a k that passed may be put into a cache. */
int envelope_commit_check(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct err *err) must_check;

/* Opens a body in hand, of either mode: commitment, tags, lengths; appends the plaintext. `body`
 * is from envelope_parse_whole. COMMITMENT, BODY, TRUNCATED, LENGTH, SIZE, SENDER. On failure out
 * has its former length. */
int envelope_body_open(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct str body, struct buf *out, struct err *err) must_check;

/* A message that is made as its plaintext arrives, in chunks of any size, in constant memory. */
struct envelope_sealer {
	void *cipher; /* EVP_CIPHER_CTX, keyed */
	uint8_t *
		held; /* STREAM: up to one segment of plaintext, while it is not known to be last */
	size_t held_len;
	uint64_t counter; /* segments sealed */
	uint64_t total;   /* plaintext bytes so far */
	uint64_t length;  /* plaintext bytes announced; meaningful if has_length */
	bool has_length;
	enum envelope_mode mode;
	int state; /* private */
	uint8_t aad[ENVELOPE_HASH_LEN];
};

/* Wipes and frees; the struct is then zero. Repeatable, NULL-safe, fine on a zeroed struct. */
void envelope_sealer_done(struct envelope_sealer *s);
CLEANUP_DONE(struct envelope_sealer, envelope_sealer_done);

/* Appends the head to out. ENVELOPE_STREAM takes any length; ENVELOPE_WHOLE needs has_length.
 * *s is filled on success only and then belongs to envelope_sealer_done. SHAPE, SIZE, NOMEM. */
int envelope_sealer_begin(struct envelope_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct secret *k, struct buf *out, struct err *err)
	must_check;

/* Seals what can be sealed and appends it to out. LENGTH past the announced length; SIZE. After a
 * failure the sealer is dead: every further call fails with BUG. */
int envelope_sealer_add(
	struct envelope_sealer *s, struct str bytes, struct buf *out, struct err *err) must_check;

/* Appends the last segment or the tag. LENGTH if fewer bytes came than announced. */
int envelope_sealer_end(struct envelope_sealer *s, struct buf *out, struct err *err) must_check;

/* The opposite: fed with the bytes after message.body_at. */
struct envelope_opener {
	void *cipher;  /* EVP_CIPHER_CTX, keyed */
	uint8_t *held; /* STREAM: up to one segment with its tag */
	size_t held_len;
	struct buf whole; /* WHOLE: plaintext that has not verified yet */
	uint8_t tag[ENVELOPE_TAG_LEN];
	uint64_t counter; /* segments opened */
	uint64_t total;   /* STREAM: plaintext bytes released; WHOLE: body bytes taken */
	uint64_t length;  /* plaintext bytes announced; meaningful if has_length */
	bool has_length;
	enum envelope_mode mode;
	int state; /* private */
	uint8_t aad[ENVELOPE_HASH_LEN];
};

/* Wipes and frees; the struct is then zero. Repeatable, NULL-safe, fine on a zeroed struct. */
void envelope_opener_done(struct envelope_opener *o);
CLEANUP_DONE(struct envelope_opener, envelope_opener_done);

/* Checks the commitment (as envelope_commit_check: after success k may be cached) and that the
 * sender level is supported. *o is filled on success only. The message and its bytes may go away
 * afterwards. COMMITMENT, SENDER, NOMEM. */
int envelope_opener_begin(struct envelope_opener *o, struct envelope_context *ctx,
	const struct envelope_message *m, const struct secret *k, struct err *err) must_check;

/* Appends plaintext that has verified. BODY, LENGTH, SIZE, TRAILING (WHOLE: more bytes than the
 * body has). After a failure the opener is dead: every further call fails with BUG. */
int envelope_opener_add(
	struct envelope_opener *o, struct str bytes, struct buf *out, struct err *err) must_check;

/* The bytes have ended: verifies and appends the rest. Only success means that the message is
 * complete. BODY, TRUNCATED, LENGTH. A stream that was cut at any place is TAMPERED. */
int envelope_opener_end(struct envelope_opener *o, struct buf *out, struct err *err) must_check;

#endif
