#include "pkg/pre/vectors/vectors.h"

#include <secp256k1_recovery.h>

#include "pkg/pre/secret.h"

#define EVIDENCE_FIRST 5 /* dc 00 10, then a point every 35 bytes */
#define EVIDENCE_STEP  35

/* Whether y of the signature's nonce point is odd. */
static int recovery_bit(struct vectors *v, const struct vectors_set *set, const uint8_t *sig,
	const uint8_t *digest, uint8_t *ret, struct err *err)
{
	for (int odd = 0; odd < 2; odd++) {
		secp256k1_ecdsa_recoverable_signature recoverable;
		struct pre_point key;
		uint8_t bytes[PRE_POINT_LEN];

		if (!secp256k1_ecdsa_recoverable_signature_parse_compact(
			    v->ctx->curve, &recoverable, sig, odd) ||
			!secp256k1_ecdsa_recover(v->ctx->curve, pre_pk(&key), &recoverable, digest))
			continue;
		pre_point_bytes(v->ctx, &key, bytes);
		if (memcmp(bytes, set->verifying.b, sizeof(bytes)) == 0) {
			*ret = odd ? PRE_MSGPACK_TRUE : PRE_MSGPACK_FALSE;
			return 0;
		}
	}
	return FAIL(err, ERR_TAMPERED, "no recovery id fits the signature");
}

static uint8_t *put_point(struct vectors *v, uint8_t *at, const struct pre_point *p)
{
	at[-2] = 0xc4;
	at[-1] = PRE_POINT_LEN;
	pre_point_bytes(v->ctx, p, at);
	return at + EVIDENCE_STEP;
}

int vectors_evidence(struct vectors *v, const struct vectors_set *set,
	const struct pre_cfrag *cfrag, uint8_t ret[static VECTORS_EVIDENCE_LEN], struct err *err)
{
	/* p, z·p, p1, h·p1, p2 for E, V and U; U itself is left out. */
	const struct {
		const struct pre_point *p, *p1, *p2;
	} rows[] = {
		{&set->capsule.e, &cfrag->e1, &cfrag->e2},
		{&set->capsule.v, &cfrag->v1, &cfrag->v2},
		{&v->ctx->u, &cfrag->u1, &cfrag->u2},
	};
	const struct pre_kfrag_claim claim = {
		.id = cfrag->b + PRE_CFRAG_ID,
		.commitment = cfrag->b + PRE_CFRAG_U1,
		.precursor = cfrag->b + PRE_CFRAG_X,
		.delegating = &set->delegating,
		.receiving = &set->receiving,
	};
	static const uint8_t array_of_16[] = {0xdc, 0x00, 0x10};
	uint8_t h[PRE_SCALAR_LEN];
	uint8_t *at = ret + EVIDENCE_FIRST;

	TRY(pre_cfrag_h(v->ctx, &set->capsule, cfrag->b, h, err));
	memcpy(ret, array_of_16, sizeof(array_of_16));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pre_point zp;
		struct pre_point hp1;

		VECTORS_CHECK(
			pre_point_mul_public(v->ctx, rows[i].p, cfrag->b + PRE_CFRAG_Z, &zp) &&
				pre_point_mul_public(v->ctx, rows[i].p1, h, &hp1),
			"evidence points");
		if (i < 2)
			at = put_point(v, at, rows[i].p);
		at = put_point(v, at, &zp);
		at = put_point(v, at, rows[i].p1);
		at = put_point(v, at, &hp1);
		at = put_point(v, at, rows[i].p2);
	}
	at[-2] = 0xc4;
	at[-1] = PRE_HASH_LEN;
	TRY(pre_kfrag_digest(v->ctx, &claim, at, err));
	return recovery_bit(v, set, cfrag->b + PRE_CFRAG_SIG, at, at + PRE_HASH_LEN, err);
}
