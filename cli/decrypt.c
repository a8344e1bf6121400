#include "cli/decrypt.h"

#include "cli/input.h"
#include "cli/remote.h"
#include "crds/pod.h"
#include "pkg/envelope/message.h"

#include <unistd.h>

struct message {
	struct buf head; /* as far as it was read */
	struct cli_recipient to[ENVELOPE_RECIPIENTS_MAX];
	size_t n;
};

/* Reads until the head is there: what it says is not verified, and good enough to ask somebody. */
static int read_head(int in, struct message *m, struct err *err)
{
	struct envelope_message parsed = {0};
	struct err why = {0};
	bool more = true;
	int r = -ERR_NOT_READY;

	while (r == -ERR_NOT_READY && more && m->head.len < ENVELOPE_HEAD_MAX) {
		TRY(cli_input_read(in, &m->head, ENVELOPE_HEAD_MAX - m->head.len, &more, err));
		r = envelope_parse(base_buf_str(&m->head), &parsed, &why);
	}
	if (r < 0)
		return FAIL(err, ERR_TERMINAL, "this is no message to a function: %s",
			m->head.len ? why.msg : "it is empty");
	const struct envelope_header *h = &parsed.header;
	for (size_t i = 0; i < h->recipient_count; i++)
		m->to[m->n++] = (struct cli_recipient){
			.name = h->recipients[i].name, .epoch = (int64_t)h->recipients[i].epoch};
	return 0;
}

static int find_pod(const struct cli_options *o, struct cli_session *s, const struct message *m,
	struct cli_records *r, struct str *ret_pod, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_ANSWER_MAX);
	_cleanup_(crds_pod_free) struct crds_pod *pod = NULL;
	const struct kube_request get = {.verb = KUBE_GET,
		.resource = &crds_pods,
		.ns = s->config->ns,
		.name = base_str(o->via)};

	if (!o->via[0]) {
		TRY(cli_records_load(s, s->config->ns, STR_NULL, r, err));
		return cli_remote_choose(r, s->config->ns, m->to, m->n, ret_pod, err);
	}
	TRY(cli_ask(s, &get, &body, err));
	TRY(crds_pod_decode(base_buf_str(&body), &pod, err));
	if (!pod->injected)
		return FAIL(err, ERR_NOT_FOUND, "pod %s has no agent", o->via);
	*ret_pod = base_str(o->via);
	return 0;
}

static int write_out(void *ctx, struct str bytes, struct err *err)
{
	(void)ctx;
	return cli_output_write(bytes, err);
}

static int decrypt(const struct cli_options *o, int in, struct message *m, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	_cleanup_(cli_records_done) struct cli_records r = {0};
	struct str pod = STR_NULL;

	TRY(read_head(in, m, err));
	TRY(cli_session_open(o, KUBE_EXEC_NO_STDIN, &s, err));
	TRY(find_pod(o, &s, m, &r, &pod, err));
	const struct cli_remote remote = {.ns = s.config->ns,
		.pod = pod,
		.what = "decrypt",
		.before = base_buf_str(&m->head),
		.in = in,
		.take = write_out};
	return cli_remote_ask(&s, &remote, err);
}

int cli_decrypt(const struct cli_options *o, struct err *err)
{
	struct message m = {.head = base_buf(ENVELOPE_HEAD_MAX)};
	int in = -1;

	TRY(cli_input_open(o, &in, err));
	const int r = decrypt(o, in, &m, err);
	base_buf_done(&m.head);
	if (in != STDIN_FILENO)
		close(in);
	return r < 0 ? r : CLI_OK;
}
