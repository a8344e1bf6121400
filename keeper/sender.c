/* Sender authentication: a leader's keeper vouches for identity keys, every keeper signs what its
 * replica sends. */
#include "keeper/state.h"

#include "pkg/base/text.h"
#include "pkg/envelope/sender.h"

_Static_assert(KMSG_CERT_MAX >= ENVELOPE_CERT_MAX, "a reply takes every certificate");
_Static_assert(KMSG_HASH_LEN == ENVELOPE_HASH_LEN, "the same hashes");

/* "3f9a1c07-1111-4222-8333-444455556666" */
static int parse_uid(const struct kmsg_name *name, uint8_t ret_uid[static ENVELOPE_CERT_UID_LEN],
	struct err *err)
{
	static const size_t parts[] = {8, 4, 4, 4, 12};
	char hex[2 * ENVELOPE_CERT_UID_LEN];
	const struct str text = kmsg_name_str(name);
	size_t from = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const struct str part = base_str_sub(text, from, from + parts[i]);
		const bool last = i + 1 == ARRAY_LEN(parts);
		from += parts[i];
		if (part.n != parts[i] || (last ? from != text.n : text.p[from] != '-'))
			return FAIL(err, ERR_INVALID, "'%.*s' is no pod UID", STR_FMT(text));
		memcpy(hex + n, part.p, part.n);
		n += part.n;
		from++;
	}
	return base_unhex(base_str_n(hex, n), ret_uid, ENVELOPE_CERT_UID_LEN, err);
}

static bool is_own(const struct keeper *k, const struct kmsg_certify_request *r)
{
	return base_str_eq(kmsg_name_str(&k->who.pod_uid), kmsg_name_str(&r->member.pod_uid)) &&
	       memcmp(k->keys.identity.b, r->keys.identity.b, sizeof(r->keys.identity.b)) == 0;
}

/* Who asks leads, and the key is held by whom the certificate will name. */
static int check_certify(struct keeper *k, const struct kmsg_certify_request *r, struct err *err)
{
	TRY(keeper_check_term(k, r->term, err));
	if (!keeper_same_revision(&k->who, &r->member))
		return FAIL(err, ERR_DENIED, "the member is of another revision");
	if (r->exp <= r->nbf || r->exp - r->nbf > KMSG_CERT_S)
		return FAIL(err, ERR_INVALID, "a certificate from %lld to %lld", (long long)r->nbf,
			(long long)r->exp);
	if (!is_own(k, r))
		return keeper_check_proof(k, &r->member, &r->keys, err);
	if (!base_str_eq(kmsg_name_str(&k->who.pod), kmsg_name_str(&r->member.pod)))
		return FAIL(err, ERR_DENIED, "our key under another name");
	return 0;
}

int keeper_op_certify(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(KMSG_CERT_MAX);
	const struct kmsg_certify_request *r = &request->certify;
	struct envelope_sender_cert cert = {.cluster = kmsg_name_str(&r->cluster),
		.ns = kmsg_name_str(&r->member.ns),
		.function = kmsg_name_str(&r->function),
		.revision = kmsg_name_str(&r->member.revision),
		.pod = kmsg_name_str(&r->member.pod),
		.epoch = r->epoch,
		.term = r->term,
		.nbf = r->nbf,
		.exp = r->exp};

	TRY(check_certify(k, r, err));
	TRY(parse_uid(&r->member.pod_uid, cert.uid, err));
	memcpy(cert.key.b, r->keys.identity.b, sizeof(cert.key.b));
	memcpy(cert.issuer.b, k->keys.identity.b, sizeof(cert.issuer.b));
	base_buf_clear(&k->scratch);
	TRY(envelope_sender_cert_body(&cert, &k->scratch, err));
	TRY(pre_sign(k->pre, &k->secrets->identity, ENVELOPE_CERT_CONTEXT,
		base_buf_str(&k->scratch), &cert.signature, err));
	TRY(envelope_sender_cert_encode(&cert, &out, err));
	memcpy(ret->certify.certificate, out.data, out.len);
	ret->certify.certificate_len = (uint16_t)out.len;
	return 0;
}

int keeper_op_sign(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	const struct kmsg_sign_request *r = &request->sign;
	struct envelope_signing signing = {
		.level = r->message ? ENVELOPE_SENDER_MESSAGE : ENVELOPE_SENDER_ORIGIN};
	struct pre_signature signature;

	memcpy(signing.bound, r->bound, sizeof(signing.bound));
	memcpy(signing.cert, r->certificate, sizeof(signing.cert));
	memcpy(signing.payload, r->payload, sizeof(signing.payload));
	const struct envelope_signing_bytes bytes = envelope_signing_bytes(&signing);
	TRY(pre_sign_cose(
		k->pre, &k->secrets->identity, base_str_n(bytes.b, bytes.n), &signature, err));
	memcpy(ret->sign.signature.b, signature.b, sizeof(signature.b));
	k->stats.signatures++;
	return 0;
}
