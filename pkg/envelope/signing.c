#include "pkg/envelope/sender_internal.h"

#include "pkg/envelope/body_internal.h"

/* -70003, the private label of a certificate, is 3a 00011172; nil and the head of 64 bytes are
 * f6 5840. */
#define ES256K         0xa1, 0x01, 0x38, 0x2e
#define ES256K_OF_HASH 0xa2, 0x01, 0x38, 0x2e, 0x19, 0x01, 0x02, 0x2f

const uint8_t envelope_origin_before[13] = {
	0xd2, 0x84, 0x44, ES256K, 0xa1, 0x3a, 0x00, 0x01, 0x11, 0x72};
const uint8_t envelope_origin_after[3] = {0xf6, 0x58, 0x40};
const uint8_t envelope_tail_before[15] = {0xd2, 0x84, 0x48, ES256K_OF_HASH, 0xa0, 0xf6, 0x58, 0x40};

#define LABEL_LEN  21
#define ORIGIN     "functionkey/v1/origin"
#define MESSAGE    "functionkey/v1/sender"
#define EXTERNAL_N (1 + 1 + LABEL_LEN + 2 * (2 + ENVELOPE_HASH_LEN))

_Static_assert(sizeof(ORIGIN) - 1 == LABEL_LEN && sizeof(MESSAGE) - 1 == LABEL_LEN,
	"the head of a label says its length");
_Static_assert(EXTERNAL_N < 256, "and the head of the associated data its own");

static void put(struct envelope_signing_bytes *to, const void *p, size_t n)
{
	base_assert(n <= sizeof(to->b) - to->n);
	memcpy(to->b + to->n, p, n);
	to->n += n;
}

static void put_hash(
	struct envelope_signing_bytes *to, const uint8_t hash[static ENVELOPE_HASH_LEN])
{
	static const uint8_t head[] = {0x58, ENVELOPE_HASH_LEN};

	put(to, head, sizeof(head));
	put(to, hash, ENVELOPE_HASH_LEN);
}

struct envelope_signing_bytes envelope_signing_bytes(const struct envelope_signing *s)
{
	static const uint8_t begin[] = {
		0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
	static const uint8_t protected_origin[] = {0x44, ES256K};
	static const uint8_t protected_message[] = {0x48, ES256K_OF_HASH};
	static const uint8_t external[] = {0x58, EXTERNAL_N, 0x83, 0x60 + LABEL_LEN};
	const bool origin = s->level == ENVELOPE_SENDER_ORIGIN;
	struct envelope_signing_bytes to = {.n = 0};

	base_assert(origin || s->level == ENVELOPE_SENDER_MESSAGE);
	put(&to, begin, sizeof(begin));
	if (origin)
		put(&to, protected_origin, sizeof(protected_origin));
	else
		put(&to, protected_message, sizeof(protected_message));
	put(&to, external, sizeof(external));
	put(&to, origin ? ORIGIN : MESSAGE, LABEL_LEN);
	put_hash(&to, s->bound);
	put_hash(&to, s->cert);
	put_hash(&to, s->payload);
	return to;
}

int envelope_signing_verify(struct pre_context *pre, const struct pre_public_key *key,
	const struct envelope_signing *s, const struct pre_signature *signature, struct err *err)
{
	const struct envelope_signing_bytes bytes = envelope_signing_bytes(s);
	struct err why = {0};
	const int r = pre_verify_cose(pre, key, base_str_n(bytes.b, bytes.n), signature, &why);

	if (r == -(int)ERR_TAMPERED)
		return REFUSE(err, SENDER_SIGNATURE, "not signed by the certificate's key");
	if (r < 0 && err)
		*err = why;
	return r;
}

int envelope_origin_payload(struct envelope_context *ctx,
	const uint8_t bound[static ENVELOPE_HASH_LEN], const struct secret *k,
	uint8_t ret[static ENVELOPE_HASH_LEN], struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret prk = {0};

	TRY(envelope_hmac(ctx, bound, base_str_n(k->b, sizeof(k->b)), prk.b, err));
	return envelope_hmac(ctx, prk.b, STR(ORIGIN "\x01"), ret, err);
}

int envelope_origin_signing(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, const uint8_t cert_hash[static ENVELOPE_HASH_LEN],
	struct envelope_signing *ret, struct err *err)
{
	struct envelope_signing s = {.level = ENVELOPE_SENDER_ORIGIN};

	base_buf_clear(&ctx->scratch);
	TRY(envelope_recipients_encode(h, &ctx->scratch, err));
	TRY(envelope_hash(ctx, base_buf_str(&ctx->scratch), s.bound, err));
	TRY(envelope_origin_payload(ctx, s.bound, k, s.payload, err));
	memcpy(s.cert, cert_hash, sizeof(s.cert));
	*ret = s;
	return 0;
}
