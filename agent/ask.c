#include "agent/ask.h"

#include "agent/problem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/env.h"
#include "pkg/http/client.h"
#include "pkg/kube/projection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECT_NS  (5 * NS_PER_S)
#define IDLE_NS     0 /* whoever asks has a limit of his own; standard input may be a person */
#define PROBLEM_MAX 8192

struct asking {
	uv_loop_t loop;
	uv_poll_t input;
	struct http_client *client;
	struct http_call *call;
	int in, out;
	unsigned status; /* 0: no head yet */
	bool has_input, chunked, verified, wrote, over;
	struct buf problem;
	struct err why; /* class 0: the answer is complete */
};

/* -- standard input -- */

static void readable(uv_poll_t *input, int status, int events)
{
	struct asking *a = input->data;

	(void)status;
	(void)events;
	(void)uv_poll_stop(input);
	http_call_resume(a->call);
}

/* Files are always ready; only what is not can be waited for. */
static int wait_for_input(struct asking *a, struct err *err)
{
	if (!a->has_input) {
		if (uv_poll_init(&a->loop, &a->input, a->in) != 0)
			return FAIL(err, ERR_TERMINAL, "standard input cannot be waited for");
		a->input.data = a;
		a->has_input = true;
	}
	if (uv_poll_start(&a->input, UV_READABLE | UV_DISCONNECT, readable) != 0)
		return FAIL(err, ERR_TERMINAL, "standard input cannot be waited for");
	return HTTP_CALL_WAIT;
}

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct asking *a = ctx;
	struct pollfd p = {.fd = a->in, .events = POLLIN};
	ssize_t n = -1;

	if (poll(&p, 1, 0) == 0)
		return wait_for_input(a, err);
	do
		n = read(a->in, dst, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return FAIL(err, ERR_TERMINAL, "standard input: %m");
	*ret_n = (size_t)n;
	return 0;
}

/* -- the answer -- */

static int on_field(void *ctx, struct str name, struct str value, struct err *err)
{
	struct asking *a = ctx;

	(void)err;
	a->chunked = a->chunked || base_str_eq(name, STR("transfer-encoding"));
	if (a->status && base_str_eq(name, STR("functionkey-verified")))
		a->verified = base_str_eq(value, STR("true"));
	return 0;
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	struct asking *a = ctx;

	(void)err;
	a->status = status;
	return 0;
}

static int write_all(int fd, struct str s, struct err *err)
{
	while (s.n) {
		const ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FAIL(err, ERR_CANCELLED, "standard output: %m");
		s = base_str_sub(s, (size_t)n, s.n);
	}
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	struct asking *a = ctx;

	if (a->status == 200) {
		a->wrote = true;
		return write_all(a->out, base_str_n(p, n), err);
	}
	return base_buf_add(&a->problem, p, n, err);
}

static void on_done(void *ctx, const struct err *err)
{
	struct asking *a = ctx;

	if (err)
		a->why = *err;
	a->over = true;
	a->call = http_call_free(a->call);
	if (a->has_input)
		(void)uv_poll_stop(&a->input);
}

/* -- what came of it -- */

struct problem {
	struct str type, title, detail;
};
static const struct kube_field problem_fields[] = {
	{"/type", KUBE_FIELD_TEXT, 256, offsetof(struct problem, type)},
	{"/title", KUBE_FIELD_TEXT, 256, offsetof(struct problem, title)},
	{"/detail", KUBE_FIELD_TEXT, 1024, offsetof(struct problem, detail)},
};
static const struct kube_projection problem_projection = {
	problem_fields, ARRAY_LEN(problem_fields), sizeof(struct problem)};

static bool is_type(struct str type, enum agent_problem problem)
{
	return base_str_eq(type, base_str(agent_problem_row(problem)->type));
}

static enum agent_ask_exit tell_problem(const struct asking *a)
{
	void *object = NULL;
	struct err err = {0};

	if (kube_project(&problem_projection, base_buf_str(&a->problem), &object, &err) < 0) {
		(void)fprintf(stderr, "the agent answers with status %u\n", a->status);
		return AGENT_ASK_REFUSED;
	}
	const struct problem *p = object;
	const struct str base = STR(AGENT_PROBLEM_BASE);
	const struct str type =
		base_str_starts(p->type, base) ? base_str_sub(p->type, base.n, p->type.n) : p->type;
	const bool altered =
		is_type(type, AGENT_PROBLEM_TAMPERED) || is_type(type, AGENT_PROBLEM_UNTRUSTED);
	(void)fprintf(
		stderr, "%.*s: %.*s: %.*s\n", STR_FMT(type), STR_FMT(p->title), STR_FMT(p->detail));
	base_free(object);
	return altered ? AGENT_ASK_UNVERIFIED : AGENT_ASK_REFUSED;
}

static enum agent_ask_exit judge(const struct asking *a)
{
	if (!a->status) {
		(void)fprintf(stderr, "the agent does not answer at its socket\n");
		return AGENT_ASK_UNREACHABLE;
	}
	if (a->status != 200)
		return tell_problem(a);
	if (a->why.class == ERR_CANCELLED || a->why.class == ERR_TERMINAL) {
		(void)fprintf(stderr, "%s\n", a->why.msg);
		return AGENT_ASK_REFUSED;
	}
	if (!a->why.class && (!a->chunked || a->verified))
		return AGENT_ASK_DONE;
	(void)fprintf(stderr, "the message is altered or cut%s: the agent stopped within it\n",
		a->wrote ? ", and what was written is not all of it" : "");
	return AGENT_ASK_UNVERIFIED;
}

/* -- life -- */

static int ask(struct asking *a, enum agent_ask what, const char *socket_path, struct err *err)
{
	static const struct http_call_ops ops = {.send = on_send,
		.field = on_field,
		.head = on_head,
		.data = on_data,
		.done = on_done};
	const bool decrypts = what == AGENT_ASK_DECRYPT;
	const struct http_call_request request = {.method = decrypts ? "POST" : "GET",
		.address = socket_path,
		.host = "functionkey",
		.target = decrypts ? "/v1/decrypt" : "/v1/status",
		.has_body = decrypts,
		.connect_ns = CONNECT_NS,
		.idle_ns = IDLE_NS};

	TRY(http_client_new(&a->loop, &a->client, err));
	TRY(http_call_new(a->client, &request, &ops, a, &a->call, err));
	TRY(http_call_start(a->call, err));
	while (!a->over)
		(void)uv_run(&a->loop, UV_RUN_ONCE);
	return 0;
}

enum agent_ask agent_ask_named(struct str name)
{
	if (base_str_eq(name, STR("status")))
		return AGENT_ASK_STATUS;
	return base_str_eq(name, STR("decrypt")) ? AGENT_ASK_DECRYPT : AGENT_ASK_NONE;
}

enum agent_ask_exit agent_ask_run(enum agent_ask what, const char *socket_path, int in, int out)
{
	struct asking a = {.in = in, .out = out, .problem = base_buf(PROBLEM_MAX)};

	if (uv_loop_init(&a.loop) != 0) {
		(void)fprintf(stderr, "there is no event loop\n");
		return AGENT_ASK_REFUSED;
	}
	(void)!ask(&a, what, socket_path, &a.why);
	const enum agent_ask_exit code = judge(&a);
	a.call = http_call_free(a.call);
	a.client = http_client_free(a.client);
	if (a.has_input)
		uv_close((uv_handle_t *)&a.input, NULL);
	(void)uv_run(&a.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&a.loop);
	base_buf_done(&a.problem);
	return code;
}
