#include "cli/remote.h"

#include "cli/page.h"
#include "crds/pod.h"

#define PROGRAM     "/usr/bin/functionkey-network"
#define CODE_USAGE  64 /* of an agent that does not know the command */
#define CODE_NO_RUN 126

struct asking {
	const struct cli_remote *remote;
	struct buf says; /* standard error */
};

static int take(void *ctx, enum cli_stream_channel channel, struct str bytes, struct err *err)
{
	struct asking *a = ctx;

	if (channel == CLI_STREAM_OUT)
		return a->remote->take(a->remote->ctx, bytes, err);
	/* What is too much is cut: it is for a person. */
	const size_t left = CLI_REMOTE_SAYS_MAX - a->says.len;
	return base_buf_add_str(&a->says, base_str_sub(bytes, 0, left), err);
}

/* Its first line, made harmless. */
static int what_it_says(const struct asking *a, struct buf *text, struct err *err)
{
	const struct str all = base_str_trim(base_buf_str(&a->says));

	return cli_page_text(text, base_str_sub(all, 0, base_str_find(all, '\n', 0)), err);
}

static int judge(const struct asking *a, int code, struct err *err)
{
	static const enum err_class classes[] = {
		[CLI_NOT_READY] = ERR_TERMINAL,
		[CLI_UNREACHABLE] = ERR_NOT_READY,
		[CLI_UNVERIFIED] = ERR_TAMPERED,
	};
	_cleanup_(base_buf_done) struct buf text = base_buf(4 * CLI_REMOTE_SAYS_MAX);
	const bool known = code < (int)ARRAY_LEN(classes) && classes[code];

	TRY(what_it_says(a, &text, err));
	if (known && text.len)
		return FAIL(err, classes[code], "%.*s", STR_FMT(base_buf_str(&text)));
	if (code == CODE_USAGE || code == CODE_NO_RUN || code == CODE_NO_RUN + 1)
		return FAIL(err, ERR_TERMINAL,
			"the agent of pod %.*s is of a version that cannot be asked",
			STR_FMT(a->remote->pod));
	return FAIL(err, ERR_TERMINAL, "the question ended with exit code %d: %.*s", code,
		STR_FMT(base_buf_str(&text)));
}

int cli_remote_ask(struct cli_session *s, const struct cli_remote *remote, struct err *err)
{
	struct asking a = {.remote = remote, .says = base_buf(CLI_REMOTE_SAYS_MAX)};
	const struct cli_channel channel = {.ns = remote->ns,
		.pod = remote->pod,
		.container = STR(CRDS_AGENT_NAME),
		.words = {PROGRAM, "ask", remote->what},
		.before = remote->before,
		.in = remote->in,
		.take = take,
		.ctx = &a};
	int code = 0;

	int r = cli_channel_run(s, &channel, &code, err);
	if (r == 0 && code != 0)
		r = judge(&a, code, err);
	base_buf_done(&a.says);
	return r;
}

/* -- which pod -- */

static bool is_of(const struct cli_recipient *to, struct str ns, struct str *ret_revision)
{
	const size_t slash = base_str_find(to->name, '/', 0);

	*ret_revision = base_str_sub(to->name, slash + 1, to->name.n);
	return slash < to->name.n && base_str_eq(base_str_sub(to->name, 0, slash), ns);
}

static const struct crds_functionkey *find_replica(
	const struct cli_records *r, struct str revision, int64_t epoch)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct crds_functionkey *fk = r->v[i];
		const struct crds_condition *ready = cli_ready(fk);
		if (fk->role == CRDS_MEMBER && base_str_eq(fk->revision, revision) && ready &&
			ready->status == CRDS_TRUE && crds_opened(fk, epoch))
			return fk;
	}
	return NULL;
}

int cli_remote_choose(const struct cli_records *r, struct str ns,
	const struct cli_recipient *recipients, size_t n, struct str *ret_pod, struct err *err)
{
	const struct cli_recipient *ours = NULL;

	for (size_t i = 0; i < n; i++) {
		struct str revision = STR_NULL;
		if (!is_of(&recipients[i], ns, &revision))
			continue;
		ours = &recipients[i];
		const struct crds_functionkey *fk = find_replica(r, revision, recipients[i].epoch);
		if (fk) {
			*ret_pod = fk->pod;
			return 0;
		}
	}
	if (ours)
		return FAIL(err, ERR_NOT_READY, "no ready replica opens epoch %lld of %.*s",
			(long long)ours->epoch, STR_FMT(ours->name));
	if (n == 0)
		return FAIL(err, ERR_NOT_FOUND, "the message is for no function");
	return FAIL(err, ERR_NOT_FOUND,
		"the message is for %.*s, not for a function of namespace %.*s: name its namespace "
		"with -n",
		STR_FMT(recipients[0].name), STR_FMT(ns));
}
