#include "cli/check.h"

#include "pkg/base/alloc.h"

#define ARENA_MAX (4u << 20)

int cli_check_look(
	struct cli_checking *c, const struct cli_wanted *w, struct cli_object *ret, struct err *err)
{
	struct err why = {0};
	const struct kube_ref ref = {.ns = base_str(w->ns), .name = base_str(w->name)};
	const int r = cli_get(c->s, w->resource, ref, w->projection, ret, &why);

	if (r == 0)
		return 1;
	if (r == -ERR_NOT_FOUND) {
		TRY(cli_report_add(c->report, CLI_WRONG, w->what, w->fix, err, "%s %s is missing",
			w->resource->kind, w->name));
		return 0;
	}
	if (r == -ERR_DENIED && why.detail == 403) {
		TRY(cli_report_add(c->report, CLI_DOUBT, w->what, NULL, err,
			"you may not read %s %s, so this was not checked", w->resource->kind,
			w->name));
		return 0;
	}
	if (err)
		*err = why;
	return r;
}

/* "36", and "36+" of a vendor. */
static int64_t minor_of(const struct cli_version *v)
{
	struct str s = v->minor;
	uint64_t n = 0;

	while (s.n && (s.p[s.n - 1] < '0' || s.p[s.n - 1] > '9'))
		s.n--;
	if (!base_str_eq(v->major, STR("1")) || base_parse_u64(s, 100000, &n, NULL) < 0)
		return 0;
	return (int64_t)n;
}

int cli_check_version(
	const struct cli_version *v, struct cli_report *report, int64_t *ret_minor, struct err *err)
{
	const int64_t minor = minor_of(v);

	*ret_minor = minor;
	if (!minor)
		return cli_report_add(report, CLI_DOUBT, "kubernetes", NULL, err,
			"its version '%.*s' is not understood", STR_FMT(v->text));
	if (minor < CLI_MINOR_OLDEST)
		return cli_report_add(report, CLI_WRONG, "kubernetes",
			"upgrade the cluster: policies and native sidecars need it", err,
			"%.*s is older than 1.%d", STR_FMT(v->text), CLI_MINOR_OLDEST);
	return cli_report_add(
		report, CLI_GOOD, "kubernetes", NULL, err, "version %.*s", STR_FMT(v->text));
}

static int check_version(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};

	TRY(cli_get(c->s, &cli_versions, (struct kube_ref){0}, &cli_version_fields, &object, err));
	return cli_check_version(object.p, c->report, &c->minor, err);
}

int cli_check_lease(const struct cli_lease *lease, int64_t now_wall_ns, struct cli_report *report,
	struct err *err)
{
	static const char fix[] = "kubectl -n " CLI_SYSTEM " logs deploy/" CLI_CONTROLLER;
	char age[CLI_AGE_LEN];

	cli_age(now_wall_ns, lease->renewed_ns, age);
	if (!lease->holder.n)
		return cli_report_add(report, CLI_WRONG, "controller", fix, err,
			"nobody holds its Lease: none is active");
	if (now_wall_ns - lease->renewed_ns > 2 * lease->duration_s * NS_PER_S)
		return cli_report_add(report, CLI_WRONG, "controller", fix, err,
			"%.*s holds its Lease but renewed it %s ago", STR_FMT(lease->holder), age);
	return cli_report_add(report, CLI_GOOD, "controller", NULL, err, "%.*s is active",
		STR_FMT(lease->holder));
}

static int run(const struct cli_options *o, struct cli_checking *c, struct err *err)
{
	static const char good[] = "Everything is as it should be.";
	char closing[96];

	TRY(check_version(c, err));
	TRY(o->before ? cli_check_before(c, err) : cli_check_installed(c, err));
	if (!o->before)
		TRY(cli_check_namespace(c, err));
	const size_t wrong = cli_report_wrong(c->report);
	(void)snprintf(
		closing, sizeof(closing), "%zu %s failed.", wrong, wrong == 1 ? "check" : "checks");
	TRY(cli_report_show(c->report, (enum cli_format)o->format, STR_NULL,
		base_str(wrong ? closing : good), err));
	return wrong ? CLI_NOT_READY : CLI_OK;
}

int cli_check(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	_cleanup_(base_arena_free) struct arena *arena = NULL;

	TRY(base_arena_new(ARENA_MAX, &arena, err));
	struct cli_report report = {.arena = arena};
	struct cli_checking c = {.s = &s, .report = &report};
	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	return run(o, &c, err);
}
