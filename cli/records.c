#include "cli/records.h"

#include "pkg/base/alloc.h"

static int take(void *ctx, struct str doc, struct err *err)
{
	struct cli_records *r = ctx;
	struct crds_functionkey *fk = NULL;

	if (r->n == CLI_RECORDS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d FunctionKeys", CLI_RECORDS_MAX);
	if (r->n == r->room) {
		const size_t room = r->room ? 2 * r->room : 64;
		struct crds_functionkey **v = base_realloc(r->v, room * sizeof(void *));
		if (!v)
			return FAIL(err, ERR_NOMEM, "records");
		r->v = v;
		r->room = room;
	}
	const int d = crds_functionkey_decode(doc, &fk, NULL);
	if (d == -ERR_NOMEM)
		return FAIL(err, ERR_NOMEM, "record");
	/* One record that somebody spoiled does not hide the others. */
	if (d < 0)
		r->unread++;
	else
		r->v[r->n++] = fk;
	return 0;
}

static int order(const void *x, const void *y)
{
	const struct crds_functionkey *a = *(struct crds_functionkey *const *)x;
	const struct crds_functionkey *b = *(struct crds_functionkey *const *)y;
	const int ns = base_str_cmp(a->ns, b->ns);
	const int revision = base_str_cmp(a->revision, b->revision);

	if (ns || revision)
		return ns ? ns : revision;
	if (a->role != b->role)
		return a->role == CRDS_LEADER ? -1 : 1;
	return base_str_cmp(a->name, b->name);
}

int cli_records_load(struct cli_session *s, struct str ns, struct str labels,
	struct cli_records *ret_records, struct err *err)
{
	struct cli_records r = {0};
	const struct cli_query q = {
		.resource = &crds_functionkeys, .ns = ns, .labels = labels, .on = take, .ctx = &r};

	const int e = cli_list(s, &q, err);
	if (e < 0) {
		cli_records_done(&r);
		return e == -ERR_NOT_FOUND
			       ? FAIL(err, ERR_NOT_FOUND,
					 "FunctionKey is not installed: kubectl functionkey check")
			       : e;
	}
	if (r.n)
		qsort(r.v, r.n, sizeof(void *), order);
	*ret_records = r;
	return 0;
}

void cli_records_done(struct cli_records *r)
{
	for (size_t i = 0; i < r->n; i++)
		crds_functionkey_free(r->v[i]);
	base_free(r->v);
	*r = (struct cli_records){0};
}

bool cli_records_next(const struct cli_records *r, size_t *at, struct cli_revision *ret)
{
	size_t i = *at;

	if (i >= r->n)
		return false;
	*ret = (struct cli_revision){.ns = r->v[i]->ns, .revision = r->v[i]->revision};
	if (r->v[i]->role == CRDS_LEADER)
		ret->leader = r->v[i++];
	ret->members = r->v + i;
	while (i < r->n && r->v[i]->role == CRDS_MEMBER && base_str_eq(r->v[i]->ns, ret->ns) &&
		base_str_eq(r->v[i]->revision, ret->revision)) {
		ret->members_len++;
		i++;
	}
	*at = i;
	return true;
}

bool cli_revision_named(const struct cli_revision *v, struct str name)
{
	return !name.n || base_str_eq(v->revision, name) ||
	       (v->leader && base_str_eq(v->leader->function, name));
}

const struct crds_condition *cli_ready(const struct crds_functionkey *fk)
{
	return crds_condition_find(fk, STR("Ready"));
}
