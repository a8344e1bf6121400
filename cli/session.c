#include "cli/session.h"

#include "pkg/base/alloc.h"
#include "pkg/kube/frame.h"

#include <unistd.h>

#define CONTINUE_MAX 4096
#define LATE         62 /* detail of an error that is a time-out: ETIME */

int cli_session_open(const struct cli_options *o, enum kube_exec_policy exec,
	struct cli_session *ret_session, struct err *err)
{
	struct cli_session *s = ret_session;
	const struct kube_choice choice = {.path = o->kubeconfig,
		.context = o->context,
		.cluster = o->cluster,
		.user = o->user,
		.ns = o->ns,
		.exec = exec};
	const struct kube_client_options options = {
		.program = "kubectl-functionkey/" FUNCTIONKEY_VERSION};

	s->env = base_env_system();
	s->timeout_ns = o->timeout_ns;
	s->until_boot_ns = base_boot_ns(&s->env) + o->timeout_ns;
	const int r = kube_config_choose(&choice, &s->config, err);
	/* For who sits here a missing file is as wrong as a wrong one. */
	if (r == -ERR_NOT_FOUND && err)
		err->class = ERR_INVALID;
	if (r < 0)
		return r;
	if (uv_loop_init(&s->loop) != 0)
		return FAIL(err, ERR_TERMINAL, "no event loop");
	s->has_loop = true;
	return kube_client_new(&s->loop, &s->env, s->config, &options, &s->client, err);
}

void cli_session_close(struct cli_session *s)
{
	s->client = kube_client_free(s->client);
	if (s->has_loop) {
		(void)uv_run(&s->loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&s->loop);
	}
	s->has_loop = false;
	s->config = kube_config_free(s->config);
}

/* -- one answer -- */

struct asking {
	struct buf *body;
	bool over;
	int r;
	struct err *err;
};

static void answered(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct asking *a = ctx;

	a->over = true;
	if (err) {
		a->r = -(int)err->class;
		if (a->err)
			*a->err = *err;
	} else if (a->body) {
		a->r = base_buf_add_str(a->body, resp->body, a->err);
	}
}

int cli_late(const char *what, struct err *err)
{
	const int r = FAIL(err, ERR_TRANSIENT, "%s", what);

	if (err)
		err->detail = LATE;
	return r;
}

static int left_ms(struct cli_session *s, uint32_t *ret_ms, struct err *err)
{
	const int64_t left = (s->until_boot_ns - base_boot_ns(&s->env)) / NS_PER_MS;

	if (left <= 0)
		return cli_late("no answer in time", err);
	*ret_ms = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
	return 0;
}

/* Whoever waited to the end of the time was late, whatever it was that took so long. */
static int judge(struct cli_session *s, int r, struct err *err)
{
	if (r == -ERR_TRANSIENT && err && base_boot_ns(&s->env) + NS_PER_MS >= s->until_boot_ns)
		err->detail = LATE;
	return r;
}

int cli_ask(struct cli_session *s, const struct kube_request *request, struct buf *ret_body,
	struct err *err)
{
	struct kube_request r = *request;
	struct asking a = {.body = ret_body, .err = err};

	TRY(left_ms(s, &r.timeout_ms, err));
	TRY(kube_start(s->client, &r, answered, &a, NULL, err));
	while (!a.over)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
	return judge(s, a.r, err);
}

int cli_get(struct cli_session *s, const struct kube_resource *resource, struct kube_ref ref,
	const struct kube_projection *projection, struct cli_object *ret_object, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_ANSWER_MAX);
	const struct kube_request r = {
		.verb = KUBE_GET, .resource = resource, .ns = ref.ns, .name = ref.name};

	TRY(cli_ask(s, &r, &body, err));
	return kube_project(projection, base_buf_str(&body), &ret_object->p, err);
}

void cli_object_done(struct cli_object *o)
{
	o->p = base_free(o->p);
}

/* -- lists -- */

struct listing {
	const struct cli_query *q;
	struct kube_frame frame;
	struct buf more; /* the token of the next page; empty: none */
	bool over;
	int r;
	struct err *err;
};

static int take_head(struct listing *l, struct str head)
{
	struct kube_list_head h = {0};

	base_buf_clear(&l->more);
	TRY(kube_list_head_read(head, &h, l->err));
	return h.continue_token.n ? base_buf_add_str(&l->more, h.continue_token, l->err) : 0;
}

static int on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct listing *l = ctx;
	struct kube_frame_doc doc = {0};

	kube_frame_feed(&l->frame, p, n);
	for (bool more = true; more;) {
		TRY(kube_frame_next(&l->frame, &doc, &more, l->err));
		if (!more)
			return 0;
		TRY(doc.object.n ? l->q->on(l->q->ctx, doc.object, l->err)
				 : take_head(l, doc.head));
	}
	return 0;
}

static void on_end(void *ctx, const struct err *err)
{
	struct listing *l = ctx;

	l->over = true;
	if (!err)
		return;
	l->r = -(int)err->class;
	/* What the reader of an item said is more than that it ended the stream. */
	if (l->err && l->err->class != err->class)
		*l->err = *err;
}

static int one_page(struct cli_session *s, struct listing *l, struct err *err)
{
	_cleanup_(base_buf_done) struct buf query = base_buf(KUBE_URL_MAX);
	static const struct kube_stream_handler handler = {.on_bytes = on_bytes, .on_end = on_end};
	struct kube_request r = {.verb = KUBE_LIST, .resource = l->q->resource, .ns = l->q->ns};

	TRY(kube_query_add(&query, "limit", STR(CLI_PAGE), err));
	if (l->q->labels.n)
		TRY(kube_query_add(&query, "labelSelector", l->q->labels, err));
	if (l->q->fields.n)
		TRY(kube_query_add(&query, "fieldSelector", l->q->fields, err));
	if (l->more.len)
		TRY(kube_query_add(&query, "continue", base_buf_str(&l->more), err));
	r.query = base_buf_str(&query);
	TRY(left_ms(s, &r.timeout_ms, err));
	kube_frame_clear(&l->frame, KUBE_FRAME_LIST);
	l->over = false;
	TRY(kube_stream_start(s->client, &r, &handler, l, NULL, err));
	while (!l->over)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
	if (l->r < 0)
		return judge(s, l->r, err);
	return kube_frame_end(&l->frame, err);
}

int cli_list(struct cli_session *s, const struct cli_query *q, struct err *err)
{
	struct err own = {0};
	struct listing l = {.q = q, .more = base_buf(CONTINUE_MAX), .err = err ? err : &own};
	int r = 0;

	kube_frame_init(&l.frame, KUBE_FRAME_LIST);
	do
		r = one_page(s, &l, l.err);
	while (r == 0 && l.more.len);
	kube_frame_done(&l.frame);
	base_buf_done(&l.more);
	return r;
}

enum cli_exit cli_exit_of(const struct err *err)
{
	const bool answered_by_server = err->detail >= 400 && err->detail < 600;

	switch (err->class) {
	case ERR_TRANSIENT:
		return err->detail == LATE ? CLI_TIMEOUT : CLI_UNREACHABLE;
	case ERR_DENIED:
		return answered_by_server && err->detail != 401 ? CLI_NOT_READY : CLI_UNREACHABLE;
	case ERR_TAMPERED:
		return CLI_UNVERIFIED;
	case ERR_INVALID:
		return answered_by_server ? CLI_NOT_READY : CLI_USAGE;
	case ERR_OK:
	case ERR_CONFLICT:
	case ERR_EXPIRED:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_NO_KEY:
	case ERR_TOO_LARGE:
	case ERR_NOT_READY:
	case ERR_CANCELLED:
	case ERR_TERMINAL:
	case ERR_NOMEM:
	case ERR_BUG:
	case ERR_CLASS_COUNT:
	default:
		return CLI_NOT_READY;
	}
}
