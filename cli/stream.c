#include "cli/stream.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/projection.h"

#define CAUSES_MAX 32
#define TEXT_MAX   32768

struct cause {
	struct str reason, message;
};
struct ending {
	struct str status, reason, message;
	struct kube_list causes;
};

static const struct kube_field cause_rows[] = {
	{"/reason", KUBE_FIELD_TEXT, 1024, offsetof(struct cause, reason)},
	{"/message", KUBE_FIELD_TEXT, TEXT_MAX, offsetof(struct cause, message)},
};
static const struct kube_projection cause_fields = {
	cause_rows, ARRAY_LEN(cause_rows), sizeof(struct cause)};
static const struct kube_field ending_rows[] = {
	{"/status", KUBE_FIELD_TEXT, 64, offsetof(struct ending, status)},
	{"/reason", KUBE_FIELD_TEXT, 1024, offsetof(struct ending, reason)},
	{"/message", KUBE_FIELD_TEXT, TEXT_MAX, offsetof(struct ending, message)},
	{"/details/causes", KUBE_FIELD_LIST, CAUSES_MAX, offsetof(struct ending, causes),
		&cause_fields},
};
static const struct kube_projection ending_fields = {
	ending_rows, ARRAY_LEN(ending_rows), sizeof(struct ending)};

struct cli_stream cli_stream(cli_stream_take take, void *ctx)
{
	return (struct cli_stream){
		.take = take, .ctx = ctx, .status = base_buf(CLI_STREAM_STATUS_MAX)};
}

void cli_stream_done(struct cli_stream *s)
{
	base_buf_done(&s->status);
}

static int hand_on(struct cli_stream *s, struct str bytes, struct err *err)
{
	switch (s->channel) {
	case CLI_STREAM_OUT:
	case CLI_STREAM_ERR:
		return bytes.n ? s->take(s->ctx, (enum cli_stream_channel)s->channel, bytes, err)
			       : 0;
	case CLI_STREAM_END:
		return base_buf_add_str(&s->status, bytes, err);
	case CLI_STREAM_CLOSE: /* of a channel of theirs: the end of the connection says as much */
		return 0;
	default:
		return FAIL(err, ERR_INVALID, "the API server sent on channel %u", s->channel);
	}
}

int cli_stream_add(struct cli_stream *s, struct str piece, bool first, bool last, struct err *err)
{
	if (first == s->inside)
		return FAIL(err, ERR_INVALID, "the API server sent pieces of messages in disorder");
	if (first)
		s->named = false;
	s->inside = !last;
	if (!piece.n)
		return 0;
	if (!s->named) {
		s->named = true;
		s->channel = (uint8_t)piece.p[0];
		piece = base_str_sub(piece, 1, piece.n);
	}
	return hand_on(s, piece, err);
}

static int exit_code(const struct ending *e, int *ret_code, struct err *err)
{
	const struct cause *v = e->causes.items;
	uint64_t code = 0;

	for (size_t i = 0; i < e->causes.n; i++)
		if (base_str_eq(v[i].reason, STR("ExitCode")) &&
			base_parse_u64(v[i].message, 255, &code, NULL) == 0 && code > 0) {
			*ret_code = (int)code;
			return 0;
		}
	return FAIL(err, ERR_TERMINAL, "%.*s", STR_FMT(e->message));
}

static int judge(const struct ending *e, int *ret_code, struct err *err)
{
	if (base_str_eq(e->status, STR("Success"))) {
		*ret_code = 0;
		return 0;
	}
	if (!base_str_eq(e->status, STR("Failure")))
		return FAIL(err, ERR_INVALID, "how the command ended cannot be read");
	if (base_str_eq(e->reason, STR("NonZeroExitCode")))
		return exit_code(e, ret_code, err);
	return FAIL(err, ERR_TERMINAL, "%.*s", STR_FMT(e->message));
}

int cli_stream_end(const struct cli_stream *s, int *ret_code, struct err *err)
{
	void *object = NULL;

	if (!s->status.len || s->inside)
		return FAIL(err, ERR_TRANSIENT,
			"the connection ended before the command: what came is not complete");
	const int r = kube_project(&ending_fields, base_buf_str(&s->status), &object, NULL);
	if (r == -ERR_NOMEM)
		return FAIL(err, ERR_NOMEM, "status");
	if (r < 0)
		return FAIL(err, ERR_INVALID, "how the command ended cannot be read");
	const int judged = judge(object, ret_code, err);
	base_free(object);
	return judged;
}

bool cli_stream_told(const struct cli_stream *s)
{
	void *object = NULL;

	if (!s->status.len || s->inside ||
		kube_project(&ending_fields, base_buf_str(&s->status), &object, NULL) < 0)
		return false;
	base_free(object);
	return true;
}
