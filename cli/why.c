#include "cli/why.h"

#include "cli/records.h"
#include "pkg/base/alloc.h"

#define ARENA_MAX  (4u << 20)
#define EVENTS_MAX 6 /* that are shown */

/* Everything that is asked for, owned. */
struct findings {
	struct crds_pod *pod;
	struct cli_object more, lease, ns;
	struct crds_functionkey *member, *leader;
	char revision[CRDS_REVISION_MAX + 1];
	struct cli_case c;
};

static void findings_done(struct findings *f)
{
	crds_pod_free(f->pod);
	cli_object_done(&f->more);
	cli_object_done(&f->lease);
	cli_object_done(&f->ns);
	crds_functionkey_free(f->member);
	crds_functionkey_free(f->leader);
}
CLEANUP_DONE(struct findings, findings_done);

static int find_pod(struct cli_session *s, struct str name, struct findings *f, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_ANSWER_MAX);
	const struct kube_request r = {
		.verb = KUBE_GET, .resource = &crds_pods, .ns = s->config->ns, .name = name};

	TRY(cli_ask(s, &r, &body, err));
	TRY(crds_pod_decode(base_buf_str(&body), &f->pod, err));
	TRY(kube_project(&cli_pod_fields, base_buf_str(&body), &f->more.p, err));
	f->c.pod = f->pod;
	f->c.more = f->more.p;
	if (crds_pod_revision(f->pod, f->revision, NULL) < 0)
		f->revision[0] = 0;
	f->c.revision = base_str(f->revision);
	return 0;
}

/* A record that is missing stays NULL; one that does not decode is an error that says so. */
static int find_record(
	struct cli_session *s, struct str name, struct crds_functionkey **ret, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_ANSWER_MAX);
	const struct kube_request r = {.verb = KUBE_GET,
		.resource = &crds_functionkeys,
		.ns = s->config->ns,
		.name = name};
	const int e = cli_ask(s, &r, &body, err);

	if (e == -ERR_NOT_FOUND)
		return 0;
	return e < 0 ? e : crds_functionkey_decode(base_buf_str(&body), ret, err);
}

static int find_optional(struct cli_session *s, const struct kube_resource *resource,
	struct kube_ref ref, const struct kube_projection *fields, struct cli_object *ret,
	bool *ret_denied, struct err *err)
{
	struct err why = {0};
	const int r = cli_get(s, resource, ref, fields, ret, &why);

	*ret_denied = r == -ERR_DENIED && why.detail == 403;
	if (r == 0 || r == -ERR_NOT_FOUND || *ret_denied)
		return 0;
	if (err)
		*err = why;
	return r;
}

static int find_lease(struct cli_session *s, struct findings *f, struct err *err)
{
	char name[sizeof(CRDS_LEASE_PREFIX) + CRDS_REVISION_MAX];

	(void)snprintf(name, sizeof(name), CRDS_LEASE_PREFIX "%s", f->revision);
	const struct kube_ref ref = {.ns = s->config->ns, .name = base_str(name)};
	TRY(find_optional(
		s, &cli_leases, ref, &cli_lease_fields, &f->lease, &f->c.lease_denied, err));
	f->c.lease = f->lease.p;
	return 0;
}

static int find_namespace(struct cli_session *s, struct findings *f, struct err *err)
{
	const struct kube_ref ref = {.name = s->config->ns};

	TRY(find_optional(s, &cli_namespaces, ref, &cli_namespace_fields, &f->ns,
		&f->c.namespace_denied, err));
	const struct cli_namespace *ns = f->ns.p;
	f->c.opted_in =
		ns && base_str_eq(kube_pairs_get(&ns->labels, CRDS_LABEL_INJECT), STR("enabled"));
	return 0;
}

static int find(struct cli_session *s, struct str name, struct findings *f, struct err *err)
{
	char record[CRDS_NAME_MAX];
	struct err why = {0};

	if (find_pod(s, name, f, &why) < 0) {
		if (why.class == ERR_NOT_FOUND)
			return FAIL(err, ERR_NOT_FOUND, "namespace %.*s has no pod named %.*s",
				STR_FMT(s->config->ns), STR_FMT(name));
		if (err)
			*err = why;
		return -(int)why.class;
	}
	TRY(find_namespace(s, f, err));
	TRY(crds_member_name(f->pod->name, f->pod->uid, record, err));
	TRY(find_record(s, base_str(record), &f->member, err));
	if (f->revision[0]) {
		TRY(find_record(s, base_str(f->revision), &f->leader, err));
		TRY(find_lease(s, f, err));
	}
	f->c.member = f->member;
	f->c.leader = f->leader;
	f->c.now_wall_ns = base_wall_ns(&s->env);
	return 0;
}

/* -- events -- */

struct telling {
	struct cli_report *report;
	int64_t now;
	struct str about;
	size_t told;
};

static int tell_event(void *ctx, struct str doc, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	struct telling *t = ctx;
	char age[CLI_AGE_LEN];

	if (t->told >= EVENTS_MAX)
		return 0;
	TRY(kube_project(&cli_event_fields, doc, &object.p, err));
	const struct cli_event *e = object.p;
	t->told++;
	cli_age(t->now, e->last_ns ? e->last_ns : e->event_ns, age);
	return cli_report_add(t->report, CLI_NOTE, "event", NULL, err, "%s ago, %.*s: %.*s: %.*s",
		age, STR_FMT(t->about), STR_FMT(e->reason), STR_FMT(e->message));
}

/* Events help; not being allowed to read them is no failure. */
static int tell_events(
	struct cli_session *s, struct str name, struct cli_report *report, struct err *err)
{
	_cleanup_(base_buf_done) struct buf fields = base_buf(600);
	struct telling t = {.report = report, .now = base_wall_ns(&s->env), .about = name};
	struct err why = {0};

	TRY(base_buf_addf(&fields, err, "involvedObject.name=%.*s", STR_FMT(name)));
	const struct cli_query q = {.resource = &cli_events,
		.ns = s->config->ns,
		.fields = base_buf_str(&fields),
		.on = tell_event,
		.ctx = &t};
	const int r = cli_list(s, &q, &why);
	if (r == 0 || (r == -ERR_DENIED && why.detail == 403))
		return 0;
	if (err)
		*err = why;
	return r;
}

static int show(const struct cli_options *o, struct cli_session *s, struct err *err)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	_cleanup_(findings_done) struct findings f = {0};
	const struct str name = base_str(o->names[0]);
	char closing[320] = "It is ready.";

	TRY(base_arena_new(ARENA_MAX, &arena, err));
	struct cli_report report = {.arena = arena};
	TRY(find(s, name, &f, err));
	TRY(cli_why_explain(&f.c, &report, err));
	TRY(cli_why_agent(s, &f.c, &report, err));
	const struct cli_line *wrong = cli_report_first_wrong(&report);
	if (wrong) {
		(void)snprintf(
			closing, sizeof(closing), "It is not ready: %.*s.", STR_FMT(wrong->says));
		TRY(tell_events(s, name, &report, err));
		if (f.member)
			TRY(tell_events(s, f.member->name, &report, err));
		if (f.leader)
			TRY(tell_events(s, f.leader->name, &report, err));
	}
	TRY(cli_report_show(&report, (enum cli_format)o->format, STR_NULL, base_str(closing), err));
	return wrong ? CLI_NOT_READY : CLI_OK;
}

int cli_why(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};

	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	return show(o, &s, err);
}
