/* The context, the key schedule and the life of streaming objects. Layer: envelope,
 * and private to it. */
#ifndef ENVELOPE_BODY_INTERNAL_H
#define ENVELOPE_BODY_INTERNAL_H

#include "pkg/envelope/body.h"

#include <openssl/evp.h>

struct envelope_context {
	const struct env *env;
	EVP_MD *sha256;
	EVP_CIPHER *gcm;
	EVP_MD_CTX *md;
	EVP_CIPHER_CTX *cipher; /* for bodies in hand */
	struct buf scratch;     /* one protected header */
};

/* What a body is sealed with. Wipe it. */
struct envelope_keys {
	struct secret cek;
	uint8_t commit[ENVELOPE_COMMIT_LEN];
};
void envelope_keys_wipe(struct envelope_keys *keys);
CLEANUP_DONE(struct envelope_keys, envelope_keys_wipe);

/* HMAC-SHA256 with a 32-byte key (RFC 2104). TERMINAL. */
int envelope_hmac(struct envelope_context *ctx, const uint8_t key[static SECRET_LEN],
	struct str message, uint8_t *ret, struct err *err) must_check;

/* The body's key and the commitment to it, from the message secret k and the protected header's
 * bytes. TERMINAL. */
int envelope_keys_derive(struct envelope_context *ctx, struct str protected, const struct secret *k,
	struct envelope_keys *ret, struct err *err) must_check;

/* As envelope_keys_derive, and the commitment of the message must be the derived one. */
int envelope_keys_of(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct envelope_keys *ret, struct err *err) must_check;

/* SHA-256 of COSE's Enc_structure: the associated data of each segment of a stream. */
int envelope_stream_aad(struct envelope_context *ctx, struct str protected,
	uint8_t ret_aad[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* Feeds COSE's Enc_structure to a keyed cipher: the associated data of a whole body. */
int envelope_whole_aad(EVP_CIPHER_CTX *cipher, struct str protected, struct err *err) must_check;

/* Keys a cipher for one direction; the IV comes with each body or segment. */
int envelope_cipher_key(EVP_CIPHER_CTX *cipher, const EVP_CIPHER *gcm, const struct secret *cek,
	bool seal, struct err *err) must_check;

/* Encodes the head of a message: everything before the body. The protected bytes stand in
 * ctx->scratch afterwards. plain_len is meaningful for ENVELOPE_WHOLE. */
int envelope_head(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, uint64_t plain_len, struct envelope_keys *ret_keys, struct buf *out,
	struct err *err) must_check;

/* One segment, in either direction: nonce from counter and last, tag behind the ciphertext. */
struct envelope_segment {
	void *cipher;
	const uint8_t *aad;
	uint64_t counter;
	bool last;
};
int envelope_segment_seal(const struct envelope_segment *s, struct str plaintext, struct buf *out,
	struct err *err) must_check;
int envelope_segment_open(const struct envelope_segment *s, struct str sealed, struct buf *out,
	struct err *err) must_check;

/* Ends a segment: writes ENVELOPE_TAG_LEN bytes to tag, or compares them with the computed ones.
 * TERMINAL; BODY where they differ. */
int envelope_tag_get(EVP_CIPHER_CTX *cipher, uint8_t *tag, struct err *err) must_check;
int envelope_tag_check(EVP_CIPHER_CTX *cipher, const uint8_t *tag, struct err *err) must_check;

/* As envelope_opener_begin, for messages of every sender level. */
int envelope_opener_begin_any(struct envelope_opener *o, struct envelope_context *ctx,
	const struct envelope_message *m, const struct secret *k, struct err *err) must_check;

/* As envelope_opener_end for a whole body; its bytes stay in o->whole. */
int envelope_opener_end_whole(struct envelope_opener *o, struct err *err) must_check;

/* Life of a sealer or opener; zero is not begun. */
enum envelope_state {
	ENVELOPE_STATE_NONE,
	ENVELOPE_STATE_OPEN,
	ENVELOPE_STATE_ENDED,
	ENVELOPE_STATE_DEAD,
};

/* Frees a cipher context of a streaming object and wipes and frees its held segment. */
void envelope_stream_release(void *cipher, uint8_t *held, size_t held_size);

#endif
