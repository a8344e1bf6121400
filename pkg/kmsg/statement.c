#include "pkg/kmsg/statement.h"

#define FIELD_MAX 512
#define KEY_LEN   33
#define HASH_LEN  32

/* A statement is a list of fields in the order of its struct. */
struct field {
	enum { TEXT, NUMBER, KEY } kind;
	size_t at;
};

#define TEXT(type, member)                   \
	{                                    \
		TEXT, offsetof(type, member) \
	}
#define NUMBER(type, member)                   \
	{                                      \
		NUMBER, offsetof(type, member) \
	}
#define KEY(type, member)                   \
	{                                   \
		KEY, offsetof(type, member) \
	}
#define REPLICA(type, member)                                                       \
	TEXT(type, member.ns), TEXT(type, member.revision), TEXT(type, member.pod), \
		TEXT(type, member.pod_uid), NUMBER(type, member.incarnation)

static const struct field member_fields[] = {
	REPLICA(struct kmsg_member, replica),
	KEY(struct kmsg_member, receiving),
	KEY(struct kmsg_member, inbox),
	KEY(struct kmsg_member, identity),
};
static const struct field term_fields[] = {
	REPLICA(struct kmsg_term, replica),
	NUMBER(struct kmsg_term, term),
	KEY(struct kmsg_term, verifying),
	KEY(struct kmsg_term, identity),
};
static const struct field key_fields[] = {
	TEXT(struct kmsg_key, ns),
	TEXT(struct kmsg_key, revision),
	NUMBER(struct kmsg_key, epoch),
	NUMBER(struct kmsg_key, term),
	NUMBER(struct kmsg_key, previous),
	KEY(struct kmsg_key, key),
	KEY(struct kmsg_key, continuity),
	KEY(struct kmsg_key, identity),
};
static const struct field grant_fields[] = {
	REPLICA(struct kmsg_grant, member),
	NUMBER(struct kmsg_grant, epoch),
	NUMBER(struct kmsg_grant, term),
	KEY(struct kmsg_grant, from),
	KEY(struct kmsg_grant, receiving),
	KEY(struct kmsg_grant, inbox),
	KEY(struct kmsg_grant, verifying),
	KEY(struct kmsg_grant, identity),
};
static const struct field record_fields[] = {
	TEXT(struct kmsg_record, ns),
	TEXT(struct kmsg_record, revision),
	NUMBER(struct kmsg_record, epoch),
	NUMBER(struct kmsg_record, term),
	KEY(struct kmsg_record, key),
	KEY(struct kmsg_record, identity),
};

/* The bytes of one field; `number` is where a number's are put. */
static int field_bytes(const struct field *f, const void *statement, uint8_t number[static 8],
	struct str *ret_bytes, struct err *err)
{
	const char *at = (const char *)statement + f->at;

	if (f->kind == TEXT) {
		memcpy(ret_bytes, at, sizeof(*ret_bytes));
		if (ret_bytes->n == 0 || ret_bytes->n > FIELD_MAX)
			return FAIL(err, ERR_INVALID, "field of %zu bytes", ret_bytes->n);
		return 0;
	}
	if (f->kind == KEY) {
		const uint8_t *key;
		memcpy(&key, at, sizeof(key));
		if (!key)
			return FAIL(err, ERR_INVALID, "a key is missing");
		*ret_bytes = base_str_n(key, KEY_LEN);
		return 0;
	}
	int64_t n;
	memcpy(&n, at, sizeof(n));
	if (n < 0)
		return FAIL(err, ERR_INVALID, "negative number");
	for (unsigned i = 0; i < 8; i++)
		number[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	*ret_bytes = base_str_n(number, 8);
	return 0;
}

static int add_fields(
	const struct field *fields, size_t n, const void *statement, struct buf *b, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct str s = STR_NULL;
		uint8_t number[8];
		TRY(field_bytes(&fields[i], statement, number, &s, err));
		const uint8_t length[2] = {(uint8_t)(s.n >> 8), (uint8_t)s.n};
		TRY(base_buf_add(b, length, sizeof(length), err));
		TRY(base_buf_add_str(b, s, err));
	}
	return 0;
}

static int encode(
	const struct field *fields, size_t n, const void *statement, struct buf *b, struct err *err)
{
	const size_t before = b->len;
	const int r = add_fields(fields, n, statement, b, err);

	if (r < 0)
		b->len = before;
	return r;
}

int kmsg_member_encode(const struct kmsg_member *m, struct buf *b, struct err *err)
{
	return encode(member_fields, ARRAY_LEN(member_fields), m, b, err);
}

int kmsg_term_encode(const struct kmsg_term *t, struct buf *b, struct err *err)
{
	return encode(term_fields, ARRAY_LEN(term_fields), t, b, err);
}

int kmsg_key_encode(const struct kmsg_key *k, struct buf *b, struct err *err)
{
	return encode(key_fields, ARRAY_LEN(key_fields), k, b, err);
}

int kmsg_grant_encode(const struct kmsg_grant *g, struct buf *b, struct err *err)
{
	return encode(grant_fields, ARRAY_LEN(grant_fields), g, b, err);
}

int kmsg_grant_signed_encode(const struct kmsg_grant *g, const uint8_t sealed_hash[static 32],
	struct buf *b, struct err *err)
{
	const size_t before = b->len;

	TRY(kmsg_grant_encode(g, b, err));
	const int r = base_buf_add(b, sealed_hash, HASH_LEN, err);
	if (r < 0)
		b->len = before;
	return r;
}

int kmsg_record_encode(const struct kmsg_record *k, struct buf *b, struct err *err)
{
	return encode(record_fields, ARRAY_LEN(record_fields), k, b, err);
}
