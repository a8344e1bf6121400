#include "lib/internal.h"

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

/* A caller that was compiled against an older header has a shorter struct. */
static int tell(const struct envelope_message *m, const struct functionkey_key *key,
	struct functionkey_info *ret, struct err *err)
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
	memcpy(ret, &info, ret->size < sizeof(info) ? ret->size : sizeof(info));
	return 0;
}

int functionkey_open(struct functionkey_key *key, const void *envelope, size_t n, void **ret,
	size_t *ret_n, struct functionkey_info *info, struct functionkey_error *err)
{
	_cleanup_(base_buf_wipe) struct buf out = base_buf(FUNCTIONKEY_MESSAGE_MAX);
	const struct envelope_opening with = {
		.secret = secret_of(key), .fp = &key->fp, .kinds = ENVELOPE_KINDS(EVENT)};
	struct envelope_message m;
	struct err why = {0};
	int r = info && info->size < sizeof(info->size)
			? FAIL(&why, ERR_INVALID, "info says no size")
			: base_buf_add(&out, "", 0, &why);

	if (r == 0)
		r = envelope_open(key->tools.envelope, key->tools.pre, &with,
			base_str_n(envelope, n), &out, &m, &why);
	if (r == 0 && info)
		r = tell(&m, key, info, &why);
	if (r == 0) {
		*ret_n = out.len;
		*ret = STEAL(out.data);
	}
	return functionkey_result(r, &why, err);
}
