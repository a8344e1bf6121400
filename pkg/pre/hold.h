/* Work with long-lived secret keys. Layer: pre; libpre_hold.
 *
 * Everything here is constant time in the secrets: scalars meet points only in the curve library's
 * ecdh (with a callback of ours) and pubkey_create, scalars meet scalars in its tweak functions,
 * inverses are powers. umbral_ctime.c runs it under valgrind with the secrets marked undefined.
 *
 * A delegatee together with `threshold` proxies can compute the delegating key (a = d·rk): at
 * threshold 1, whoever has a kfrag and its receiving key has the power of the delegating key.
 */
#ifndef PRE_HOLD_H
#define PRE_HOLD_H

#include "pkg/pre/pre.h"

#define PRE_SHARES_MAX 255

/* Holds rk: a secret. Declare as `_cleanup_(pre_kfrag_wipe) struct pre_kfrag k`. */
struct pre_kfrag {
	uint8_t b[PRE_KFRAG_LEN]; /* the wire form */
	struct pre_point x, c;    /* precursor, commitment */
};

/* Overwrites it in a way that the compiler may not drop. */
void pre_kfrag_wipe(struct pre_kfrag *kfrag);
CLEANUP_DONE(struct pre_kfrag, pre_kfrag_wipe);

/* A new key pair. TERMINAL without randomness. */
int pre_keygen(struct pre_context *ctx, struct secret *ret_sk, struct pre_public_key *ret_pk,
	struct err *err) must_check;

/* INVALID if sk is not a scalar in [1, n-1]. */
int pre_public_of(struct pre_context *ctx, const struct secret *sk, struct pre_public_key *ret,
	struct err *err) must_check;

/* Signs a statement of ours; see pre_verify. RFC 6979 nonce, hedged with 32 random bytes. */
int pre_sign(struct pre_context *ctx, const struct secret *sk, const char *context,
	struct str message, struct pre_signature *ret, struct err *err) must_check;

/* Signs a COSE Sig_structure; see pre_verify_cose. As pre_sign. INVALID for other bytes. */
int pre_sign_cose(struct pre_context *ctx, const struct secret *sk, struct str sig_structure,
	struct pre_signature *ret, struct err *err) must_check;

/* A further key pair that whoever holds sk, and nobody else, derives from it for `label`. Domain
 * strings of ours: never equal to what the stock packages' SecretKeyFactory makes. */
int pre_derive_key(struct pre_context *ctx, const struct secret *sk, const char *label,
	struct secret *ret_sk, struct pre_public_key *ret_pk, struct err *err) must_check;

/* Framing, points, scalars, and U. Says nothing about signatures: pre_kfrag_verify. INVALID. */
int pre_kfrag_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_kfrag *ret, struct err *err) must_check;

/* What a proxy checks, as the stock packages do: the commitment, and the signature for the proxy
 * over the keys that its flags name. `delegating` and `receiving` may be NULL if not flagged. The
 * signature for the receiver is not looked at: pre_kfrag_verify_both does. */
int pre_kfrag_verify(struct pre_context *ctx, const struct pre_kfrag *kfrag,
	const struct pre_public_key *verifying, const struct pre_public_key *delegating,
	const struct pre_public_key *receiving, struct err *err) must_check;

/* As pre_kfrag_verify, and the stricter rule of ours: both keys must be signed, and the signature
 * for the receiver must hold too. */
int pre_kfrag_verify_both(struct pre_context *ctx, const struct pre_kfrag *kfrag,
	const struct pre_public_key *verifying, const struct pre_public_key *delegating,
	const struct pre_public_key *receiving, struct err *err) must_check;

enum pre_kfrag_flags {
	PRE_SIGN_DELEGATING = 1, /* the proxy's signature covers the delegating key */
	PRE_SIGN_RECEIVING = 2,  /* … and the receiving key */
	PRE_SIGN_BOTH = 3,       /* what our own proxies and receivers ask for */
	PRE_SIGN_TWICE = 4,      /* two signatures also where one can stand in both places, as the
				    stock packages do: only byte-exact replays need it */
};

/* x and X = x·G of a generation. The kfrags of one delegating key may share it, also those for
 * different receivers (docs/adr/0007): it protects nothing but that key, so keep it beside the key
 * and no longer. Stock packages take such kfrags like any other.
 * Declare as `_cleanup_(pre_precursor_wipe) struct pre_precursor p`. */
struct pre_precursor {
	struct secret x;
	struct pre_point point; /* X */
};

/* Overwrites it in a way that the compiler may not drop. */
void pre_precursor_wipe(struct pre_precursor *p);
CLEANUP_DONE(struct pre_precursor, pre_precursor_wipe);

/* A new one. TERMINAL without randomness. */
int pre_precursor_new(struct pre_context *ctx, struct pre_precursor *ret, struct err *err)
	must_check;

struct pre_shares {
	uint32_t threshold; /* 1 … shares */
	uint32_t shares;    /* threshold … PRE_SHARES_MAX: how many kfrags are made */
	unsigned flags;     /* enum pre_kfrag_flags */
	/* The public half of delegating_sk where it is at hand (16 µs less); NULL: computed. */
	const struct pre_public_key *delegating_pk;
	/* Shared with other generations of the same delegating key; NULL: a new one. */
	const struct pre_precursor *precursor;
};

/* Fills ret[0 … shares-1]. INVALID for a threshold of 0, fewer shares than the threshold, and a
 * signing key that is the delegating key. On failure ret is wiped. */
int pre_kfrags_generate(struct pre_context *ctx, const struct secret *delegating_sk,
	const struct pre_public_key *receiving_pk, const struct secret *signing_sk,
	const struct pre_shares *how, struct pre_kfrag *ret, struct err *err) must_check;

/* The kfrag should have been verified. A new random t each time: never replay one. */
int pre_reencrypt(struct pre_context *ctx, const struct pre_capsule *capsule,
	const struct pre_kfrag *kfrag, struct pre_cfrag *ret, struct err *err) must_check;

/* Appends the plaintext. TAMPERED: another key's, or changed. Nothing is appended then. */
int pre_decrypt_original(struct pre_context *ctx, const struct secret *sk,
	const struct pre_capsule *capsule, struct str ciphertext, struct buf *ret_plain,
	struct err *err) must_check;

struct pre_receiver {
	const struct secret *sk;
	const struct pre_public_key *pk; /* its public half where at hand; NULL: computed */
	const struct pre_public_key *delegating;
};

struct pre_cfrags {
	const struct pre_cfrag *v; /* verified before, if they came from elsewhere */
	size_t n;                  /* at most PRE_SHARES_MAX */
};

/* Appends the plaintext. More cfrags than the threshold are harmless. INVALID: none, of different
 * delegations, the same twice; TAMPERED. */
int pre_decrypt_reencrypted(struct pre_context *ctx, const struct pre_receiver *receiver,
	const struct pre_capsule *capsule, struct pre_cfrags cfrags, struct str ciphertext,
	struct buf *ret_plain, struct err *err) must_check;

/* The direct way at threshold 1, for a keeper that is proxy and receiver at once: verifies the
 * kfrag (pre_kfrag_verify_both) and, by algebra, that (rk·d)·G is the delegating key; then gives
 * rk·d, the scalar that opens capsules. */
int pre_grant_open(struct pre_context *ctx, const struct secret *receiving_sk,
	const struct pre_public_key *delegating_pk, const struct pre_public_key *verifying_pk,
	const struct pre_kfrag *kfrag, struct secret *ret_opening, struct err *err) must_check;

/* Opens what pre_wrap made, with the delegating key itself or what pre_grant_open gave. TAMPERED.
 */
int pre_unwrap(struct pre_context *ctx, const struct secret *opening,
	const struct pre_capsule *capsule, const uint8_t wrapped[static PRE_WRAPPED_LEN],
	struct secret *ret_k, struct err *err) must_check;

#endif
