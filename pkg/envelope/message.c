#include "pkg/envelope/message.h"

#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"

static int read_unprotected(
	struct envelope_cbor *d, uint8_t commit[static ENVELOPE_COMMIT_LEN], struct err *err)
{
	struct str s = STR_NULL;
	int64_t key = 0;
	size_t n = 0;

	TRY(envelope_cbor_map(d, 1, 1, &n, err));
	TRY(envelope_cbor_int(d, &key, err));
	if (key != COSE_COMMIT)
		return REFUSE(err, SHAPE, "unknown unprotected field");
	TRY(envelope_cbor_bytes(d, ENVELOPE_COMMIT_LEN, ENVELOPE_COMMIT_LEN, &s, err));
	TRY(envelope_cbor_leave(d, err));
	memcpy(commit, s.p, ENVELOPE_COMMIT_LEN);
	return 0;
}

/* What the header says about the body and where the body is must fit. */
static int check_body(const struct envelope_message *m, bool nil, size_t len, struct err *err)
{
	const struct envelope_header *h = &m->header;

	if (nil != (h->mode == ENVELOPE_STREAM))
		return REFUSE(err, SHAPE, "body and algorithm do not fit");
	if (nil)
		return 0;
	if (len < ENVELOPE_TAG_LEN)
		return REFUSE(err, SHAPE, "a body without a tag");
	if (h->has_length && h->length != len - ENVELOPE_TAG_LEN)
		return REFUSE(err, LENGTH, "the body");
	return 0;
}

static size_t body_max(const struct envelope_header *h)
{
	const size_t sender = h->sender == ENVELOPE_SENDER_NONE ? 0 : ENVELOPE_SENDER_EXTRA_MAX;

	return ENVELOPE_WHOLE_MAX + sender + ENVELOPE_TAG_LEN;
}

/* The header is decoded as soon as it is there, so that a wrong one is refused before anybody
 * waits for a body. */
int envelope_parse(struct str bytes, struct envelope_message *ret, struct err *err)
{
	struct envelope_cbor d = envelope_cbor(bytes, true);
	struct envelope_message m = {0};
	size_t n = 0;
	size_t len = 0;
	bool nil = false;

	TRY(envelope_cbor_tag(&d, COSE_TAG_ENCRYPT0, err));
	TRY(envelope_cbor_array(&d, 3, 3, &n, err));
	TRY(envelope_cbor_bytes(&d, 0, ENVELOPE_PROTECTED_MAX, &m.protected, err));
	TRY(envelope_header_decode(m.protected, &m.header, err));
	TRY(read_unprotected(&d, m.commit, err));
	TRY(envelope_cbor_bytes_head_or_nil(&d, body_max(&m.header), &nil, &len, err));
	TRY(envelope_cbor_leave(&d, err));
	TRY(check_body(&m, nil, len, err));
	m.body_at = d.at;
	m.body_len = nil ? 0 : len;
	*ret = m;
	return 0;
}

int envelope_parse_whole(
	struct str bytes, struct envelope_message *ret, struct str *ret_body, struct err *err)
{
	struct envelope_message m;
	const int r = envelope_parse(bytes, &m, err);

	if (r == -(int)ERR_NOT_READY)
		return REFUSE(err, TRUNCATED, "the head is not complete");
	if (r < 0)
		return r;
	const struct str body = base_str_sub(bytes, m.body_at, bytes.n);
	if (m.header.mode == ENVELOPE_WHOLE && body.n < m.body_len)
		return REFUSE(err, TRUNCATED, "the body is not complete");
	if (m.header.mode == ENVELOPE_WHOLE && body.n > m.body_len)
		return REFUSE(err, TRAILING, "bytes after the body");
	*ret = m;
	*ret_body = body;
	return 0;
}
