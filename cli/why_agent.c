/* What the replica's agent itself says, asked through the API server: a line or more behind those
 * of the cluster. */
#include "cli/remote.h"
#include "cli/why.h"

#include "pkg/base/alloc.h"

#define STATUS_MAX   (1u << 20)
#define TROUBLES_MAX 64
#define SHOWN_MAX    5
#define PATIENCE_NS  (5 * NS_PER_S) /* it is an extra: nobody waits long for it */

struct trouble {
	struct str what, type, detail;
	int64_t time_ns;
};
struct agent_status {
	struct str version, reason, message, failure, level, unsigned_why;
	int64_t uptime_s, issuer_term, cert_end_ns;
	bool ready, keeper;
	struct kube_list troubles;
};

static const struct kube_field trouble_rows[] = {
	{"/what", KUBE_FIELD_TEXT, 64, offsetof(struct trouble, what)},
	{"/type", KUBE_FIELD_TEXT, 64, offsetof(struct trouble, type)},
	{"/detail", KUBE_FIELD_TEXT, 1024, offsetof(struct trouble, detail)},
	{"/time", KUBE_FIELD_TIME, 0, offsetof(struct trouble, time_ns)},
};
static const struct kube_projection trouble_fields = {
	trouble_rows, ARRAY_LEN(trouble_rows), sizeof(struct trouble)};
static const struct kube_field status_rows[] = {
	{"/version", KUBE_FIELD_TEXT, 128, offsetof(struct agent_status, version)},
	{"/uptimeSeconds", KUBE_FIELD_INT, 0, offsetof(struct agent_status, uptime_s)},
	{"/ready", KUBE_FIELD_BOOL, 0, offsetof(struct agent_status, ready)},
	{"/reason", KUBE_FIELD_TEXT, 128, offsetof(struct agent_status, reason)},
	{"/message", KUBE_FIELD_TEXT, 1024, offsetof(struct agent_status, message)},
	{"/lastFailure", KUBE_FIELD_TEXT, 1024, offsetof(struct agent_status, failure)},
	{"/sender/level", KUBE_FIELD_TEXT, 16, offsetof(struct agent_status, level)},
	{"/sender/missing", KUBE_FIELD_TEXT, 1024, offsetof(struct agent_status, unsigned_why)},
	{"/sender/certificate/issuerTerm", KUBE_FIELD_INT, 0,
		offsetof(struct agent_status, issuer_term)},
	{"/sender/certificate/notAfter", KUBE_FIELD_TIME, 0,
		offsetof(struct agent_status, cert_end_ns)},
	{"/keeper/answers", KUBE_FIELD_BOOL, 0, offsetof(struct agent_status, keeper)},
	{"/troubles", KUBE_FIELD_LIST, TROUBLES_MAX, offsetof(struct agent_status, troubles),
		&trouble_fields},
};
static const struct kube_projection status_fields = {
	status_rows, ARRAY_LEN(status_rows), sizeof(struct agent_status)};

static const char what[] = "agent itself";

static int tell_troubles(
	const struct agent_status *a, int64_t now_wall_ns, struct cli_report *r, struct err *err)
{
	const struct trouble *v = a->troubles.items;
	char age[CLI_AGE_LEN];

	for (size_t i = 0; i < a->troubles.n && i < SHOWN_MAX; i++) {
		cli_age(now_wall_ns, v[i].time_ns, age);
		TRY(cli_report_add(r, CLI_NOTE, what, NULL, err, "%s ago, %.*s: %.*s: %.*s", age,
			STR_FMT(v[i].what), STR_FMT(v[i].type), STR_FMT(v[i].detail)));
	}
	return 0;
}

/* Where nothing is signed, a missing certificate is nobody's trouble; agents of before say nothing.
 */
static int tell_sender(
	const struct agent_status *a, int64_t now_wall_ns, struct cli_report *r, struct err *err)
{
	const bool is_signed = a->level.n && !base_str_eq(a->level, STR("none"));
	char left[CLI_AGE_LEN];

	if (a->unsigned_why.n)
		return cli_report_add(r, is_signed ? CLI_DOUBT : CLI_NOTE, what, NULL, err,
			"it cannot sign what it sends (level %.*s): %.*s", STR_FMT(a->level),
			STR_FMT(a->unsigned_why));
	if (!a->cert_end_ns)
		return 0;
	/* An age from then to now is what is left. */
	cli_age(a->cert_end_ns, now_wall_ns, left);
	return cli_report_add(r, CLI_GOOD, what, NULL, err,
		"it signs at level %.*s, under a certificate of term %lld for another %s",
		STR_FMT(a->level), (long long)a->issuer_term, left);
}

static int tell(
	const struct agent_status *a, int64_t now_wall_ns, struct cli_report *r, struct err *err)
{
	char up[CLI_AGE_LEN];

	cli_age(now_wall_ns, now_wall_ns - a->uptime_s * NS_PER_S, up);
	if (a->ready)
		TRY(cli_report_add(r, CLI_GOOD, what, NULL, err, "version %.*s, up %s: it is ready",
			STR_FMT(a->version), up));
	else
		TRY(cli_report_add(r, CLI_DOUBT, what, NULL, err, "version %.*s, up %s: %.*s: %.*s",
			STR_FMT(a->version), up, STR_FMT(a->reason), STR_FMT(a->message)));
	if (!a->keeper)
		TRY(cli_report_add(r, CLI_DOUBT, what, NULL, err, "its keeper does not answer it"));
	TRY(tell_sender(a, now_wall_ns, r, err));
	if (a->failure.n)
		TRY(cli_report_add(r, CLI_NOTE, what, NULL, err, "what failed last: %.*s",
			STR_FMT(a->failure)));
	return tell_troubles(a, now_wall_ns, r, err);
}

int cli_why_agent_explain(
	struct str status, int64_t now_wall_ns, struct cli_report *report, struct err *err)
{
	void *object = NULL;

	TRY(kube_project(&status_fields, base_str_trim(status), &object, err));
	const int r = tell(object, now_wall_ns, report, err);
	base_free(object);
	return r;
}

static int take(void *ctx, struct str bytes, struct err *err)
{
	return base_buf_add_str(ctx, bytes, err);
}

int cli_why_agent(
	struct cli_session *s, const struct cli_case *c, struct cli_report *report, struct err *err)
{
	_cleanup_(base_buf_done) struct buf status = base_buf(STATUS_MAX);
	const struct cli_named *agent = cli_named_find(&c->more->init_statuses, CRDS_AGENT_NAME);
	const struct cli_remote remote = {.ns = s->config->ns,
		.pod = c->pod->name,
		.what = "status",
		.in = -1,
		.take = take,
		.ctx = &status};
	const int64_t timeout_ns = s->timeout_ns;
	struct err why = {0};

	if (!c->pod->injected || !agent || !agent->running)
		return 0;
	s->timeout_ns = timeout_ns < PATIENCE_NS ? timeout_ns : PATIENCE_NS;
	int r = cli_remote_ask(s, &remote, &why);
	s->timeout_ns = timeout_ns;
	if (r == 0)
		r = cli_why_agent_explain(base_buf_str(&status), c->now_wall_ns, report, &why);
	return r < 0 ? cli_report_add(
			       report, CLI_NOTE, what, NULL, err, "it was not asked: %s", why.msg)
		     : 0;
}
