#include "lib/internal.h"

#include "pkg/envelope/signed.h"

_Static_assert((int)FUNCTIONKEY_SENDER_ORIGIN == (int)ENVELOPE_SENDER_ORIGIN &&
		       (int)FUNCTIONKEY_SENDER_MESSAGE == (int)ENVELOPE_SENDER_MESSAGE,
	"levels are those of the format");

struct functionkey_key {
	struct functionkey_tools tools;
	struct locked memory; /* of the struct secret */
	struct pre_public_key public_key;
	struct pre_fingerprint fp;
};

static const struct secret *secret_of(const struct functionkey_key *key)
{
	return key->memory.p;
}

static int fill(struct functionkey_key *key, const uint8_t *secret, struct err *err)
{
	struct secret *sk = NULL;

	TRY(functionkey_tools_begin(&key->tools, err));
	TRY(base_locked_new(sizeof(*sk), &key->memory, err));
	sk = key->memory.p;
	if (secret) {
		memcpy(sk->b, secret, sizeof(sk->b));
		TRY(pre_public_of(key->tools.pre, sk, &key->public_key, err));
	} else {
		TRY(pre_keygen(key->tools.pre, sk, &key->public_key, err));
	}
	key->fp = pre_fingerprint(&key->public_key);
	return 0;
}

static int make(const uint8_t *secret, struct functionkey_key **ret, struct functionkey_error *err)
{
	struct functionkey_key *key = base_alloc(1, sizeof(*key));
	struct err why = {0};
	const int r = key ? fill(key, secret, &why) : FAIL(&why, ERR_NOMEM, "key");

	if (r < 0)
		functionkey_key_free(key);
	else
		*ret = key;
	return functionkey_result(r, &why, err);
}

int functionkey_key_new(struct functionkey_key **ret, struct functionkey_error *err)
{
	return make(NULL, ret, err);
}

int functionkey_key_from(const uint8_t secret[FUNCTIONKEY_SECRET_LEN], struct functionkey_key **ret,
	struct functionkey_error *err)
{
	return make(secret, ret, err);
}

void functionkey_key_public(const struct functionkey_key *key, uint8_t ret[FUNCTIONKEY_KEY_LEN])
{
	memcpy(ret, key->public_key.b, FUNCTIONKEY_KEY_LEN);
}

void functionkey_key_secret(const struct functionkey_key *key, uint8_t ret[FUNCTIONKEY_SECRET_LEN])
{
	memcpy(ret, secret_of(key)->b, FUNCTIONKEY_SECRET_LEN);
}

struct functionkey_key *functionkey_key_free(struct functionkey_key *key)
{
	if (!key)
		return NULL;
	base_locked_done(&key->memory);
	functionkey_tools_done(&key->tools);
	return base_free(key);
}

static int tell_sender(
	const struct envelope_signed_opener *o, struct functionkey_info *info, struct err *err)
{
	struct envelope_sender_cert c;

	if (!envelope_signed_opener_cert(o, &c))
		return 0;
	const struct {
		struct str from;
		char *to;
		size_t size;
	} texts[] = {
		{c.cluster, info->sender_cluster, sizeof(info->sender_cluster)},
		{c.ns, info->sender_namespace, sizeof(info->sender_namespace)},
		{c.function, info->sender_function, sizeof(info->sender_function)},
		{c.revision, info->sender_revision, sizeof(info->sender_revision)},
		{c.pod, info->sender_pod, sizeof(info->sender_pod)},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		TRY(base_str_copy(texts[i].from, texts[i].to, texts[i].size, "sender", err));
	memcpy(info->sender_pod_uid, c.uid, sizeof(info->sender_pod_uid));
	memcpy(info->sender_key, c.key.b, sizeof(info->sender_key));
	memcpy(info->sender_issuer, c.issuer.b, sizeof(info->sender_issuer));
	info->sender_level = (int)envelope_signed_opener_level(o);
	info->sender_epoch = c.epoch;
	info->sender_term = c.term;
	info->sender_not_before = c.nbf;
	info->sender_not_after = c.exp;
	return 0;
}

/* A caller that was compiled against an older header has a shorter struct. */
static int tell(const struct envelope_message *m, const struct envelope_signed_opener *o,
	const struct functionkey_key *key, struct functionkey_info *ret, struct err *err)
{
	const struct envelope_recipient *r = envelope_recipient_find(&m->header, &key->fp);
	struct functionkey_info info = {.size = ret->size,
		.issued = m->header.iat,
		.expires = m->header.has_exp ? m->header.exp : 0,
		.epoch = r->epoch};

	memcpy(info.id, m->header.id, sizeof(info.id));
	TRY(base_str_copy(r->name, info.name, sizeof(info.name), "name", err));
	TRY(base_str_copy(
		m->header.type, info.media_type, sizeof(info.media_type), "media type", err));
	TRY(tell_sender(o, &info, err));
	memcpy(ret, &info, ret->size < sizeof(info) ? ret->size : sizeof(info));
	return 0;
}

static int open_message(struct functionkey_key *key, struct str envelope, struct buf *out,
	struct functionkey_info *info, struct err *err)
{
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	_cleanup_(base_secret_wipe) struct secret k = {0};
	const struct envelope_sender_check check = {
		.ctx = key->tools.envelope, .pre = key->tools.pre};
	struct envelope_message m;
	struct str body = STR_NULL;

	TRY(envelope_parse_whole(envelope, &m, &body, err));
	if (m.header.kind != ENVELOPE_EVENT)
		return REFUSE(err, KIND, "a kind that is not taken here");
	const struct envelope_recipient *r = envelope_recipient_find(&m.header, &key->fp);
	if (!r)
		return REFUSE(err, NO_RECIPIENT, "not sealed to this key");
	TRY(envelope_recipient_unwrap(key->tools.pre, secret_of(key), r, &k, err));
	TRY(envelope_signed_opener_begin(&o, &check, &m, &k, err));
	TRY(envelope_signed_opener_add(&o, body, out, err));
	TRY(envelope_signed_opener_end(&o, out, err));
	if (out->len > FUNCTIONKEY_MESSAGE_MAX)
		return REFUSE(err, SIZE, "more plaintext than is opened in hand");
	return info ? tell(&m, &o, key, info, err) : 0;
}

int functionkey_open(struct functionkey_key *key, const void *envelope, size_t n, void **ret,
	size_t *ret_n, struct functionkey_info *info, struct functionkey_error *err)
{
	_cleanup_(base_buf_wipe) struct buf out =
		base_buf(FUNCTIONKEY_MESSAGE_MAX + ENVELOPE_SENDER_EXTRA_MAX);
	struct err why = {0};
	int r = info && info->size < sizeof(info->size)
			? FAIL(&why, ERR_INVALID, "info says no size")
			: base_buf_add(&out, "", 0, &why);

	if (r == 0)
		r = open_message(key, base_str_n(envelope, n), &out, info, &why);
	if (r == 0) {
		*ret_n = out.len;
		*ret = STEAL(out.data);
	}
	return functionkey_result(r, &why, err);
}
