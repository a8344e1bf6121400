#include "pkg/kmsg/codec.h"

#define HEADER_LEN 12

#define POSITIVE(type, member)                                            \
	{                                                                 \
		.kind = KMSG_FIELD_POSITIVE, .at = offsetof(type, member) \
	}
#define NUMBER(type, member)                                            \
	{                                                               \
		.kind = KMSG_FIELD_NUMBER, .at = offsetof(type, member) \
	}
#define COUNTER(type, member)                                            \
	{                                                                \
		.kind = KMSG_FIELD_COUNTER, .at = offsetof(type, member) \
	}
#define U16(type, member)                                            \
	{                                                            \
		.kind = KMSG_FIELD_U16, .at = offsetof(type, member) \
	}
#define FLAG(type, member)                                            \
	{                                                             \
		.kind = KMSG_FIELD_FLAG, .at = offsetof(type, member) \
	}
#define NAME(type, member)                                            \
	{                                                             \
		.kind = KMSG_FIELD_NAME, .at = offsetof(type, member) \
	}
#define BYTES(type, member)                                             \
	{                                                               \
		.kind = KMSG_FIELD_BYTES, .at = offsetof(type, member), \
		.size = sizeof(((type *)NULL)->member)                  \
	}
#define BLOB(type, member, len)                                                       \
	{                                                                             \
		.kind = KMSG_FIELD_BLOB, .at = offsetof(type, member),                \
		.size = sizeof(((type *)NULL)->member), .len_at = offsetof(type, len) \
	}
#define TEXT(type, member)                                             \
	{                                                              \
		.kind = KMSG_FIELD_TEXT, .at = offsetof(type, member), \
		.size = sizeof(((type *)NULL)->member)                 \
	}
#define WHO(type, member)                                                           \
	NAME(type, member.ns), NAME(type, member.revision), NAME(type, member.pod), \
		NAME(type, member.pod_uid), POSITIVE(type, member.incarnation)
#define KEYS(type, member)                                                                      \
	BYTES(type, member.receiving), BYTES(type, member.inbox), BYTES(type, member.identity), \
		BYTES(type, member.proof)

/* -- requests -- */

static const struct kmsg_field init_request[] = {WHO(struct kmsg_init, who)};
static const struct kmsg_field term_request[] = {POSITIVE(struct kmsg_term_request, term)};
static const struct kmsg_field epoch_request[] = {
	POSITIVE(struct kmsg_epoch_request, epoch),
	POSITIVE(struct kmsg_epoch_request, term),
	NUMBER(struct kmsg_epoch_request, previous),
};
static const struct kmsg_field grant_request[] = {
	POSITIVE(struct kmsg_grant_request, epoch),
	POSITIVE(struct kmsg_grant_request, term),
	WHO(struct kmsg_grant_request, member),
	KEYS(struct kmsg_grant_request, keys),
};
static const struct kmsg_field accept_request[] = {
	POSITIVE(struct kmsg_accept_request, epoch),
	POSITIVE(struct kmsg_accept_request, term),
	BYTES(struct kmsg_accept_request, from),
	BYTES(struct kmsg_accept_request, verifying),
	BYTES(struct kmsg_accept_request, identity),
	BYTES(struct kmsg_accept_request, signature),
	BLOB(struct kmsg_accept_request, sealed, sealed_len),
};
static const struct kmsg_field open_request[] = {
	BYTES(struct kmsg_open_request, fingerprint),
	BYTES(struct kmsg_open_request, capsule),
	BYTES(struct kmsg_open_request, wrapped),
};
static const struct kmsg_field erase_request[] = {POSITIVE(struct kmsg_erase_request, epoch)};
static const struct kmsg_field record_request[] = {
	POSITIVE(struct kmsg_record_request, epoch),
	POSITIVE(struct kmsg_record_request, term),
	BYTES(struct kmsg_record_request, key),
};

static const struct kmsg_field certify_request[] = {
	NUMBER(struct kmsg_certify_request, epoch),
	POSITIVE(struct kmsg_certify_request, term),
	POSITIVE(struct kmsg_certify_request, nbf),
	POSITIVE(struct kmsg_certify_request, exp),
	NAME(struct kmsg_certify_request, cluster),
	NAME(struct kmsg_certify_request, function),
	WHO(struct kmsg_certify_request, member),
	KEYS(struct kmsg_certify_request, keys),
};
static const struct kmsg_field sign_request[] = {
	FLAG(struct kmsg_sign_request, message),
	BYTES(struct kmsg_sign_request, bound),
	BYTES(struct kmsg_sign_request, certificate),
	BYTES(struct kmsg_sign_request, payload),
};

/* -- replies -- */

static const struct kmsg_field keys_reply[] = {
	BYTES(struct kmsg_keys, receiving),
	BYTES(struct kmsg_keys, inbox),
	BYTES(struct kmsg_keys, identity),
	BYTES(struct kmsg_keys, proof),
};
static const struct kmsg_field term_reply[] = {
	BYTES(struct kmsg_term_reply, verifying),
	BYTES(struct kmsg_term_reply, signature),
};
static const struct kmsg_field epoch_reply[] = {
	BYTES(struct kmsg_epoch_reply, key),
	BYTES(struct kmsg_epoch_reply, continuity),
	BYTES(struct kmsg_epoch_reply, signature),
	FLAG(struct kmsg_epoch_reply, has_link),
	BYTES(struct kmsg_epoch_reply, link),
	NUMBER(struct kmsg_epoch_reply, previous),
};
static const struct kmsg_field grant_reply[] = {
	BLOB(struct kmsg_grant_reply, sealed, sealed_len),
	BYTES(struct kmsg_grant_reply, signature),
};
static const struct kmsg_field open_reply[] = {BYTES(struct kmsg_open_reply, k)};
static const struct kmsg_field record_reply[] = {BYTES(struct kmsg_record_reply, signature)};
static const struct kmsg_field certify_reply[] = {
	BLOB(struct kmsg_certify_reply, certificate, certificate_len),
};
static const struct kmsg_field sign_reply[] = {BYTES(struct kmsg_sign_reply, signature)};
static const struct kmsg_field stats_reply[] = {
	COUNTER(struct kmsg_stats_reply, opens),
	COUNTER(struct kmsg_stats_reply, open_failures),
	COUNTER(struct kmsg_stats_reply, grants),
	COUNTER(struct kmsg_stats_reply, accepts),
	COUNTER(struct kmsg_stats_reply, signatures),
	U16(struct kmsg_stats_reply, epochs),
	FLAG(struct kmsg_stats_reply, memory_locked),
	FLAG(struct kmsg_stats_reply, sandboxed),
};
static const struct kmsg_field held_epoch[] = {
	POSITIVE(struct kmsg_held_epoch, epoch),
	BYTES(struct kmsg_held_epoch, key),
	FLAG(struct kmsg_held_epoch, made),
};
static const struct kmsg_shape held_epoch_shape = KMSG_SHAPE(held_epoch);
static const struct kmsg_field held_reply[] = {
	NUMBER(struct kmsg_held_reply, incarnation),
	KEYS(struct kmsg_held_reply, keys),
	FLAG(struct kmsg_held_reply, has_next),
	BYTES(struct kmsg_held_reply, next_inbox),
	BYTES(struct kmsg_held_reply, next_proof),
	NUMBER(struct kmsg_held_reply, term),
	BYTES(struct kmsg_held_reply, verifying),
	BYTES(struct kmsg_held_reply, signature),
	{.kind = KMSG_FIELD_LIST,
		.at = offsetof(struct kmsg_held_reply, epochs),
		.size = KMSG_EPOCHS_MAX,
		.len_at = offsetof(struct kmsg_held_reply, epochs_len),
		.stride = sizeof(struct kmsg_held_epoch),
		.each = &held_epoch_shape},
};

struct failure {
	char message[sizeof(((struct kmsg_reply *)NULL)->message)];
};
static const struct kmsg_field failure_reply[] = {TEXT(struct failure, message)};
static const struct kmsg_shape failure_shape = KMSG_SHAPE(failure_reply);

static const struct op {
	const char *name;
	enum kmsg_priority priority;
	struct kmsg_shape request, reply;
} ops[KMSG_OP_COUNT] = {
	[KMSG_INIT] = {"init", KMSG_CONTROL, KMSG_SHAPE(init_request), KMSG_SHAPE(keys_reply)},
	[KMSG_INBOX_NEXT] = {"inbox-next", KMSG_CONTROL, {NULL, 0}, KMSG_SHAPE(keys_reply)},
	[KMSG_INBOX_COMMIT] = {"inbox-commit", KMSG_CONTROL, {NULL, 0}, {NULL, 0}},
	[KMSG_TERM] = {"term", KMSG_CONTROL, KMSG_SHAPE(term_request), KMSG_SHAPE(term_reply)},
	[KMSG_EPOCH] = {"epoch", KMSG_CONTROL, KMSG_SHAPE(epoch_request), KMSG_SHAPE(epoch_reply)},
	[KMSG_GRANT] = {"grant", KMSG_GRANTS, KMSG_SHAPE(grant_request), KMSG_SHAPE(grant_reply)},
	[KMSG_ACCEPT] = {"accept", KMSG_CONTROL, KMSG_SHAPE(accept_request), {NULL, 0}},
	[KMSG_OPEN] = {"open", KMSG_OPENS, KMSG_SHAPE(open_request), KMSG_SHAPE(open_reply)},
	[KMSG_ERASE] = {"erase", KMSG_CONTROL, KMSG_SHAPE(erase_request), {NULL, 0}},
	[KMSG_RECORD] = {"record", KMSG_CONTROL, KMSG_SHAPE(record_request),
		KMSG_SHAPE(record_reply)},
	[KMSG_STATS] = {"stats", KMSG_CONTROL, {NULL, 0}, KMSG_SHAPE(stats_reply)},
	[KMSG_HELD] = {"held", KMSG_CONTROL, {NULL, 0}, KMSG_SHAPE(held_reply)},
	[KMSG_CERTIFY] = {"certify", KMSG_GRANTS, KMSG_SHAPE(certify_request),
		KMSG_SHAPE(certify_reply)},
	[KMSG_SIGN] = {"sign", KMSG_OPENS, KMSG_SHAPE(sign_request), KMSG_SHAPE(sign_reply)},
};

/* Bodies are the members of one union: all begin at the same place. */
#define REQUEST_BODY offsetof(struct kmsg_request, init)
#define REPLY_BODY   offsetof(struct kmsg_reply, keys)

static bool is_op(uint64_t op)
{
	return op > 0 && op < KMSG_OP_COUNT;
}

enum kmsg_priority kmsg_op_priority(enum kmsg_op op)
{
	return is_op((uint64_t)op) ? ops[op].priority : KMSG_GRANTS;
}

const char *kmsg_op_name(enum kmsg_op op)
{
	return is_op((uint64_t)op) ? ops[op].name : "unknown";
}

static int put_header(
	struct kmsg_writer *w, enum kmsg_op op, uint32_t seq, size_t length, struct err *err)
{
	if (!is_op((uint64_t)op))
		return FAIL(err, ERR_INVALID, "no operation %d", (int)op);
	TRY(kmsg_put(w, KMSG_VERSION, 2, err));
	TRY(kmsg_put(w, (uint64_t)op, 2, err));
	TRY(kmsg_put(w, seq, 4, err));
	return kmsg_put(w, length, 4, err);
}

/* The header stands in front of the body whose length it tells: it is written again at the end. */
static int finish(struct kmsg_writer *w, enum kmsg_op op, uint32_t seq, struct err *err)
{
	struct kmsg_writer front = {.p = w->p, .max = HEADER_LEN};

	return put_header(&front, op, seq, w->n - HEADER_LEN, err);
}

struct header {
	enum kmsg_op op;
	uint32_t seq;
};

static int take_header(struct kmsg_reader *r, struct header *ret_header, struct err *err)
{
	uint64_t version = 0, op = 0, seq = 0, length = 0;

	if (r->n > KMSG_PACKET_MAX)
		return FAIL(err, ERR_INVALID, "packet of %zu bytes", r->n);
	TRY(kmsg_take(r, 2, &version, err));
	if (version != KMSG_VERSION)
		return FAIL(err, ERR_INVALID, "version %llu", (unsigned long long)version);
	TRY(kmsg_take(r, 2, &op, err));
	if (!is_op(op))
		return FAIL(err, ERR_INVALID, "no operation %llu", (unsigned long long)op);
	TRY(kmsg_take(r, 4, &seq, err));
	TRY(kmsg_take(r, 4, &length, err));
	if (length != r->n)
		return FAIL(err, ERR_INVALID, "length %llu of %zu bytes",
			(unsigned long long)length, r->n);
	*ret_header = (struct header){(enum kmsg_op)op, (uint32_t)seq};
	return 0;
}

/* Checks that the shape fits and that nothing follows it; reads nothing. */
static int check_body(const struct kmsg_shape *shape, struct kmsg_reader r, struct err *err)
{
	TRY(kmsg_shape_read(shape, &r, NULL, err));
	if (r.n)
		return FAIL(err, ERR_INVALID, "%zu bytes after the message", r.n);
	return 0;
}

/* The writer keeps p: NOLINTNEXTLINE(readability-non-const-parameter) */
int kmsg_request_encode(const struct kmsg_request *r, uint8_t *p, size_t *ret_n, struct err *err)
{
	struct kmsg_writer w = {.p = p, .max = KMSG_PACKET_MAX};

	TRY(put_header(&w, r->op, r->seq, 0, err));
	TRY(kmsg_shape_write(&ops[r->op].request, (const uint8_t *)r + REQUEST_BODY, &w, err));
	TRY(finish(&w, r->op, r->seq, err));
	*ret_n = w.n;
	return 0;
}

int kmsg_request_decode(const uint8_t *p, size_t n, struct kmsg_request *ret_r, struct err *err)
{
	struct kmsg_reader r = {.p = p, .n = n};
	struct header h = {0};

	TRY(take_header(&r, &h, err));
	const struct kmsg_shape *shape = &ops[h.op].request;
	TRY(check_body(shape, r, err));
	*ret_r = (struct kmsg_request){.op = h.op, .seq = h.seq};
	return kmsg_shape_read(shape, &r, (uint8_t *)ret_r + REQUEST_BODY, err);
}

/* The writer keeps p: NOLINTNEXTLINE(readability-non-const-parameter) */
int kmsg_reply_encode(const struct kmsg_reply *r, uint8_t *p, size_t *ret_n, struct err *err)
{
	struct kmsg_writer w = {.p = p, .max = KMSG_PACKET_MAX};

	TRY(put_header(&w, r->op, r->seq, 0, err));
	if ((unsigned)r->status >= ERR_CLASS_COUNT)
		return FAIL(err, ERR_INVALID, "no error class %d", (int)r->status);
	TRY(kmsg_put(&w, (uint64_t)r->status, 1, err));
	if (r->status == ERR_OK)
		TRY(kmsg_shape_write(&ops[r->op].reply, (const uint8_t *)r + REPLY_BODY, &w, err));
	else
		TRY(kmsg_shape_write(&failure_shape, r->message, &w, err));
	TRY(finish(&w, r->op, r->seq, err));
	*ret_n = w.n;
	return 0;
}

int kmsg_reply_decode(const uint8_t *p, size_t n, struct kmsg_reply *ret_r, struct err *err)
{
	struct kmsg_reader r = {.p = p, .n = n};
	struct header h = {0};
	uint64_t status = 0;

	TRY(take_header(&r, &h, err));
	TRY(kmsg_take(&r, 1, &status, err));
	if (status >= ERR_CLASS_COUNT)
		return FAIL(err, ERR_INVALID, "no error class %llu", (unsigned long long)status);
	const struct kmsg_shape *shape = status ? &failure_shape : &ops[h.op].reply;
	TRY(check_body(shape, r, err));
	*ret_r = (struct kmsg_reply){.op = h.op, .seq = h.seq, .status = (enum err_class)status};
	return kmsg_shape_read(
		shape, &r, status ? (void *)ret_r->message : (uint8_t *)ret_r + REPLY_BODY, err);
}
