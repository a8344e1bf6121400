#include "pkg/envelope/signed.h"

#include "pkg/envelope/body_internal.h"
#include "pkg/envelope/sender_internal.h"

_Static_assert(ENVELOPE_SENDER_ORIGIN_EXTRA ==
		       sizeof(envelope_origin_before) + sizeof(envelope_origin_after) + PRE_SIG_LEN,
	"what stands around a certificate");
_Static_assert(ENVELOPE_SENDER_TAIL == sizeof(envelope_tail_before) + PRE_SIG_LEN, "the tail");
_Static_assert(ENVELOPE_CERT_MAX + ENVELOPE_SENDER_ORIGIN_EXTRA + ENVELOPE_SENDER_TAIL <=
		       ENVELOPE_SENDER_EXTRA_MAX,
	"a sender fits into the room that bodies have for him");

bool envelope_sender_has_origin(enum envelope_sender_level level, enum envelope_mode mode)
{
	return level == ENVELOPE_SENDER_ORIGIN ||
	       (level == ENVELOPE_SENDER_MESSAGE && mode == ENVELOPE_STREAM);
}

size_t envelope_sender_overhead(const struct envelope_header *h, size_t cert_len)
{
	size_t n = 0;

	if (h->sender == ENVELOPE_SENDER_NONE)
		return 0;
	if (envelope_sender_has_origin(h->sender, h->mode))
		n += ENVELOPE_SENDER_ORIGIN_EXTRA;
	if (h->sender == ENVELOPE_SENDER_MESSAGE)
		n += ENVELOPE_SENDER_TAIL;
	return n + cert_len;
}

void envelope_signed_sealer_done(struct envelope_signed_sealer *s)
{
	if (!s)
		return;
	envelope_sealer_done(&s->sealer);
	EVP_MD_CTX_free(s->md);
	*s = (struct envelope_signed_sealer){0};
}

static int check(
	const struct envelope_header *h, const struct envelope_credentials *with, struct err *err)
{
	struct envelope_sender_cert ignored;

	if (h->sender == ENVELOPE_SENDER_NONE)
		return 0;
	if (!with)
		return REFUSE(err, SHAPE, "a sender without a certificate");
	TRY(envelope_sender_cert_parse(with->cert, &ignored, err));
	if (envelope_sender_has_origin(h->sender, h->mode) != (with->origin != NULL))
		return REFUSE(err, SHAPE, "the signature for the window and the level do not fit");
	const size_t overhead = envelope_sender_overhead(h, with->cert.n);
	if (h->has_length && h->length < overhead)
		return REFUSE(err, LENGTH, "the length does not count the sender");
	if (h->mode == ENVELOPE_WHOLE && h->has_length && h->length - overhead > ENVELOPE_WHOLE_MAX)
		return REFUSE(err, SIZE, "a whole body has at most 1 MiB");
	return 0;
}

int envelope_md_new(const struct envelope_context *ctx, void **ret_md, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (!md || EVP_DigestInit_ex(md, ctx->sha256, NULL) != 1) {
		EVP_MD_CTX_free(md);
		return FAIL(err, ERR_NOMEM, "digest context");
	}
	*ret_md = md;
	return 0;
}

int envelope_md_end(void *md, uint8_t ret[static ENVELOPE_HASH_LEN], struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(md, digest, NULL) != 1)
		return FAIL(err, ERR_TERMINAL, "SHA-256");
	memcpy(ret, digest, ENVELOPE_HASH_LEN);
	return 0;
}

/* The sender's part at the front. */
static int add_head(struct envelope_sealer *s, const struct envelope_credentials *with,
	bool has_origin, struct buf *out, struct err *err)
{
	if (!has_origin)
		return envelope_sealer_add(s, with->cert, out, err);
	const struct str parts[] = {
		base_str_n(envelope_origin_before, sizeof(envelope_origin_before)),
		with->cert,
		base_str_n(envelope_origin_after, sizeof(envelope_origin_after)),
		base_str_n(with->origin->b, sizeof(with->origin->b)),
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		TRY(envelope_sealer_add(s, parts[i], out, err));
	return 0;
}

static int begin(struct envelope_signed_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct secret *k,
	const struct envelope_credentials *with, struct buf *out, struct err *err)
{
	TRY(envelope_sealer_begin(&s->sealer, ctx, h, k, out, err));
	s->signing.level = h->sender;
	if (h->sender == ENVELOPE_SENDER_NONE)
		return 0;
	/* The protected bytes stand in the context's scratch now. */
	TRY(envelope_hash(ctx, base_buf_str(&ctx->scratch), s->signing.bound, err));
	TRY(envelope_sender_cert_hash(ctx, with->cert, s->signing.cert, err));
	if (h->sender == ENVELOPE_SENDER_MESSAGE)
		TRY(envelope_md_new(ctx, &s->md, err));
	return add_head(&s->sealer, with, envelope_sender_has_origin(h->sender, h->mode), out, err);
}

int envelope_signed_sealer_begin(struct envelope_signed_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct secret *k,
	const struct envelope_credentials *with, struct buf *out, struct err *err)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer new = {0};
	const size_t start = out->len;

	TRY(check(h, with, err));
	const int r = begin(&new, ctx, h, k, with, out, err);
	if (r < 0) {
		out->len = start;
		return r;
	}
	*s = new;
	new = (struct envelope_signed_sealer){0};
	return 0;
}

int envelope_signed_sealer_add(
	struct envelope_signed_sealer *s, struct str bytes, struct buf *out, struct err *err)
{
	if (s->asked)
		return FAIL(err, ERR_BUG, "plaintext after its signature was asked for");
	if (s->md && bytes.n > 0 && EVP_DigestUpdate(s->md, bytes.p, bytes.n) != 1)
		return FAIL(err, ERR_TERMINAL, "SHA-256");
	return envelope_sealer_add(&s->sealer, bytes, out, err);
}

int envelope_signed_sealer_signing(
	struct envelope_signed_sealer *s, struct envelope_signing *ret, struct err *err)
{
	const struct envelope_sealer *in = &s->sealer;

	if (!s->md || s->asked || in->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "no message that waits for a signature");
	if (in->has_length && in->total + ENVELOPE_SENDER_TAIL != in->length)
		return REFUSE(err, LENGTH, "not as many bytes as announced");
	s->asked = true;
	TRY(envelope_md_end(s->md, s->signing.payload, err));
	*ret = s->signing;
	return 0;
}

int envelope_signed_sealer_end(struct envelope_signed_sealer *s,
	const struct pre_signature *signature, struct buf *out, struct err *err)
{
	const bool message = s->signing.level == ENVELOPE_SENDER_MESSAGE;

	if (message != (signature != NULL) || message != s->asked)
		return FAIL(err, ERR_BUG, "the signature and the level do not fit");
	if (message) {
		TRY(envelope_sealer_add(&s->sealer,
			base_str_n(envelope_tail_before, sizeof(envelope_tail_before)), out, err));
		TRY(envelope_sealer_add(
			&s->sealer, base_str_n(signature->b, sizeof(signature->b)), out, err));
	}
	return envelope_sealer_end(&s->sealer, out, err);
}
