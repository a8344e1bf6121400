#include "cli/status.h"

#include "pkg/kube/patch.h"

#include <stdio.h>

#define ARENA_MAX (64u << 20)

static struct str truth(enum crds_condition_status s)
{
	return s == CRDS_TRUE ? STR("True") : s == CRDS_FALSE ? STR("False") : STR("Unknown");
}

static bool is_ready(const struct crds_functionkey *fk)
{
	const struct crds_condition *c = fk ? cli_ready(fk) : NULL;

	return c && c->status == CRDS_TRUE;
}

static int age_cell(struct cli_table *t, int64_t now, int64_t then, struct err *err)
{
	char age[CLI_AGE_LEN];

	cli_age(now, then, age);
	return cli_table_cell(t, base_str(age), err);
}

static int header(struct cli_table *t, const char *const *names, struct err *err)
{
	for (size_t i = 0; i < t->columns; i++)
		TRY(cli_table_cell(t, base_str(names[i]), err));
	return 0;
}

/* -- a line each -- */

static int line(const struct cli_status_view *v, const struct cli_revision *r, struct cli_table *t,
	struct err *err)
{
	static const struct crds_functionkey none;
	const struct crds_functionkey *l = r->leader ? r->leader : &none;
	const struct crds_key *active = crds_key_active(l);
	const struct crds_condition *ready = cli_ready(l);
	char members[48];

	(void)snprintf(members, sizeof(members), "%lld/%lld", (long long)l->members_ready,
		(long long)l->members_total);
	if (v->everywhere)
		TRY(cli_table_cell(t, r->ns, err));
	TRY(cli_table_cell(t, r->revision, err));
	TRY(cli_table_cell(t, l->function, err));
	TRY(cli_table_number(t, l->active_epoch, err));
	TRY(age_cell(t, v->now_wall_ns, active ? active->activated_ns : 0, err));
	TRY(cli_table_cell(t, l->leader.pod, err));
	TRY(cli_table_number(t, l->leader.term, err));
	TRY(cli_table_cell(t, base_str(members), err));
	TRY(cli_table_cell(t, truth(ready ? ready->status : CRDS_UNKNOWN), err));
	return cli_table_cell(t,
		!r->leader ? STR("NoLeaderRecord")
		: ready    ? ready->reason
			   : STR_NULL,
		err);
}

static int lines(const struct cli_status_view *v, const struct cli_records *r, struct buf *page,
	struct err *err)
{
	static const char *const names[] = {"NAMESPACE", "REVISION", "FUNCTION", "EPOCH", "KEY AGE",
		"LEADER", "TERM", "MEMBERS", "READY", "REASON"};
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	struct cli_revision rev;
	const size_t skip = !v->everywhere;

	TRY(base_arena_new(ARENA_MAX, &arena, err));
	struct cli_table t = {.arena = arena, .columns = ARRAY_LEN(names) - skip};
	TRY(header(&t, names + skip, err));
	for (size_t at = 0; cli_records_next(r, &at, &rev);)
		TRY(line(v, &rev, &t, err));
	return cli_table_end(&t, "", page, err);
}

/* -- one revision whole -- */

static int keys(const struct cli_status_view *v, const struct crds_functionkey *l,
	struct arena *arena, struct buf *page, struct err *err)
{
	static const char *const names[] = {
		"EPOCH", "STATE", "ACTIVATED", "RETIRED", "FINGERPRINT", "MADE BY", "REASON"};
	struct cli_table t = {.arena = arena, .columns = ARRAY_LEN(names)};

	if (!l->keys_len)
		return base_buf_addf(page, err, "  no key yet\n");
	TRY(header(&t, names, err));
	for (size_t i = l->keys_len; i-- > 0;) {
		const struct crds_key *k = &l->keys[i];
		char fp[33];
		base_hex(k->fingerprint.b, sizeof(k->fingerprint.b), fp);
		TRY(cli_table_number(&t, k->epoch, err));
		TRY(cli_table_cell(&t, base_str(crds_key_state_name(k->state)), err));
		TRY(age_cell(&t, v->now_wall_ns, k->activated_ns, err));
		TRY(age_cell(&t, v->now_wall_ns, k->retired_ns, err));
		TRY(cli_table_cell(&t, base_str(fp), err));
		TRY(cli_table_cell(&t, k->leader_pod, err));
		TRY(cli_table_cell(&t, k->reason, err));
	}
	return cli_table_end(&t, "  ", page, err);
}

static int epochs_cell(struct cli_table *t, const struct crds_functionkey *m, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1024);

	for (size_t i = m->opened_len; i-- > 0;)
		TRY(base_buf_addf(
			&b, err, "%s%lld", b.len ? "," : "", (long long)m->opened[i].epoch));
	return cli_table_cell(t, base_buf_str(&b), err);
}

static int replicas(
	const struct cli_revision *r, struct arena *arena, struct buf *page, struct err *err)
{
	static const char *const names[] = {
		"REPLICA", "ROLE", "INCARNATION", "OPENS EPOCHS", "READY", "REASON"};
	struct cli_table t = {.arena = arena, .columns = ARRAY_LEN(names)};

	if (!r->members_len)
		return base_buf_addf(page, err, "  no replica has published its keys\n");
	TRY(header(&t, names, err));
	for (size_t i = 0; i < r->members_len; i++) {
		const struct crds_functionkey *m = r->members[i];
		const struct crds_condition *ready = cli_ready(m);
		const bool leads = r->leader && r->leader->has_leader &&
				   base_str_eq(r->leader->leader.pod_uid, m->pod_uid);
		TRY(cli_table_cell(&t, m->pod, err));
		TRY(cli_table_cell(&t, leads ? STR("leader") : STR("member"), err));
		TRY(cli_table_number(&t, m->incarnation, err));
		TRY(epochs_cell(&t, m, err));
		TRY(cli_table_cell(&t, truth(ready ? ready->status : CRDS_UNKNOWN), err));
		TRY(cli_table_cell(&t, ready ? ready->reason : STR_NULL, err));
	}
	return cli_table_end(&t, "  ", page, err);
}

static int conditions(const struct cli_status_view *v, const struct crds_functionkey *l,
	struct arena *arena, struct buf *page, struct err *err)
{
	static const char *const names[] = {"CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"};
	struct cli_table t = {.arena = arena, .columns = ARRAY_LEN(names)};

	TRY(header(&t, names, err));
	for (size_t i = 0; i < l->conditions_len; i++) {
		const struct crds_condition *c = &l->conditions[i];
		int64_t since = 0;
		if (base_time_parse(c->last_transition, &since, NULL) < 0)
			since = 0;
		TRY(cli_table_cell(&t, c->type, err));
		TRY(cli_table_cell(&t, truth(c->status), err));
		TRY(age_cell(&t, v->now_wall_ns, since, err));
		TRY(cli_table_cell(&t, c->reason, err));
		TRY(cli_table_cell(&t, c->message, err));
	}
	return l->conditions_len ? cli_table_end(&t, "  ", page, err) : 0;
}

static int leader_line(const struct cli_status_view *v, const struct crds_functionkey *l,
	struct buf *page, struct err *err)
{
	char age[CLI_AGE_LEN];
	int64_t since = 0;

	if (!l->has_leader)
		return base_buf_addf(page, err, "  no leader yet\n");
	if (base_time_parse(l->leader.since, &since, NULL) < 0)
		since = 0;
	cli_age(v->now_wall_ns, since, age);
	TRY(base_buf_add_str(page, STR("  leader "), err));
	TRY(cli_page_text(page, l->leader.pod, err));
	return base_buf_addf(page, err, ", term %lld, since %s; replicas ready %lld of %lld\n",
		(long long)l->leader.term, age, (long long)l->members_ready,
		(long long)l->members_total);
}

static int whole(const struct cli_status_view *v, const struct cli_revision *r, struct buf *page,
	struct err *err)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;

	TRY(base_arena_new(ARENA_MAX, &arena, err));
	if (page->len)
		TRY(base_buf_add_byte(page, '\n', err));
	TRY(cli_page_text(page, r->ns, err));
	TRY(base_buf_add_byte(page, '/', err));
	TRY(cli_page_text(page, r->revision, err));
	if (!r->leader)
		TRY(base_buf_add_str(page, STR(": no Leader record\n\n"), err));
	if (r->leader) {
		TRY(base_buf_add_str(page, STR(", function "), err));
		TRY(cli_page_text(page, r->leader->function, err));
		TRY(base_buf_add_byte(page, '\n', err));
		TRY(leader_line(v, r->leader, page, err));
		if (r->leader->revoked_len)
			TRY(base_buf_addf(
				page, err, "  revoked pods: %zu\n", r->leader->revoked_len));
		TRY(base_buf_add_byte(page, '\n', err));
		TRY(keys(v, r->leader, arena, page, err));
		TRY(base_buf_add_byte(page, '\n', err));
	}
	TRY(replicas(r, arena, page, err));
	if (!r->leader || !r->leader->conditions_len)
		return 0;
	TRY(base_buf_add_byte(page, '\n', err));
	return conditions(v, r->leader, arena, page, err);
}

int cli_status_text(const struct cli_status_view *v, const struct cli_records *r, struct buf *page,
	size_t *ret_shown, size_t *ret_unready, struct err *err)
{
	struct cli_revision rev;
	size_t shown = 0, unready = 0;

	for (size_t at = 0; cli_records_next(r, &at, &rev);) {
		if (!cli_revision_named(&rev, v->name))
			continue;
		shown++;
		unready += !is_ready(rev.leader);
		if (v->name.n)
			TRY(whole(v, &rev, page, err));
	}
	if (!v->name.n && shown)
		TRY(lines(v, r, page, err));
	*ret_shown = shown;
	*ret_unready = unready;
	return 0;
}

/* -- the command -- */

static int nothing_there(
	const struct cli_options *o, const struct cli_session *s, struct str name, struct err *err)
{
	if (o->everywhere)
		return FAIL(err, ERR_NOT_FOUND, "no namespace has a FunctionKey");
	if (name.n)
		return FAIL(err, ERR_NOT_FOUND,
			"namespace %.*s has no revision and no function named %.*s",
			STR_FMT(s->config->ns), STR_FMT(name));
	return FAIL(err, ERR_NOT_FOUND,
		"namespace %.*s has no FunctionKey; kubectl functionkey check tells what is "
		"missing",
		STR_FMT(s->config->ns));
}

static int show(const struct cli_options *o, struct cli_session *s, struct err *err)
{
	_cleanup_(cli_records_done) struct cli_records r = {0};
	_cleanup_(base_buf_done) struct buf page = base_buf(CLI_PAGE_MAX);
	_cleanup_(base_buf_done) struct buf json = base_buf(CLI_PAGE_MAX);
	const struct cli_status_view v = {
		.name = o->names_len ? base_str(o->names[0]) : STR_NULL,
		.everywhere = o->everywhere,
		.now_wall_ns = base_wall_ns(&s->env),
	};
	size_t shown = 0, unready = 0;

	TRY(cli_records_load(s, o->everywhere ? STR_NULL : s->config->ns, STR_NULL, &r, err));
	TRY(cli_status_text(&v, &r, &page, &shown, &unready, err));
	if (o->format != CLI_TEXT) {
		base_buf_clear(&page);
		TRY(cli_status_json(&v, &r, &json, err));
		TRY(cli_page_document(&page, base_buf_str(&json), (enum cli_format)o->format, err));
	}
	if (r.unread)
		(void)fprintf(stderr, "warning: %zu FunctionKeys do not decode and are left out\n",
			r.unread);
	if (!shown && o->format == CLI_TEXT)
		return nothing_there(o, s, v.name, err);
	TRY(cli_page_write(&page, err));
	return unready || !shown ? CLI_NOT_READY : CLI_OK;
}

int cli_status(const struct cli_options *o, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};

	TRY(cli_session_open(o, KUBE_EXEC_STDIN, &s, err));
	return show(o, &s, err);
}
