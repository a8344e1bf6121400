/* Which records are kept that come another way than by a watch. */
#include "agent/records.h"
#include "crds/test_records.h"
#include "pkg/base/alloc.h"
#include "pkg/base/test.h"
#include "pkg/kube/informer.h"

#define MEMBER "orders-1-b.3f9a1c07"

struct kube_informer {
	bool unused;
};

/* Watches that show nothing, in the place of pkg/kube's. */
int kube_informer_new(struct kube_client *client, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err)
{
	struct kube_informer *i = base_alloc(1, sizeof(*i));

	(void)client;
	(void)spec;
	(void)handler;
	(void)ctx;
	if (!i)
		return FAIL(err, ERR_NOMEM, "informer");
	*ret_informer = i;
	return 0;
}
/* NULL is fine. */
struct kube_informer *kube_informer_free(struct kube_informer *i)
{
	return base_free(i);
}
/* Always. */
bool kube_informer_synced(const struct kube_informer *i)
{
	(void)i;
	return true;
}
/* The informer itself. */
const struct kube_store *kube_informer_store(const struct kube_informer *i)
{
	return (const struct kube_store *)i;
}
/* There is none. */
const void *kube_store_get(const struct kube_informer *i, struct str ns, struct str name)
{
	(void)i;
	(void)ns;
	(void)name;
	return NULL;
}
/* There is none. */
const void *kube_store_each(const struct kube_store *s, size_t *at)
{
	(void)s;
	(void)at;
	return NULL;
}

struct world {
	struct agent_core core;
	struct agent_records *records;
	unsigned changes;
};

static void changed(void *ctx)
{
	((struct world *)ctx)->changes++;
}

static void trouble(void *ctx, const struct err *err)
{
	(void)ctx;
	fail_msg("%s", err->msg);
}

static void put(struct world *w, const char *json)
{
	struct crds_functionkey *fk = NULL;

	assert_ok("decode", crds_functionkey_decode(base_str(json), &fk, err));
	agent_records_put(w->records, fk);
}

static void follow(struct world *w, bool members)
{
	assert_ok("follow", agent_records_follow_members(w->records, members, err));
}

static size_t members(struct world *w)
{
	const struct crds_functionkey *const *list = NULL;
	size_t n = 0;

	assert_ok("members", agent_records_members(w->records, &list, &n, err));
	return n;
}

static void world_begin(struct world *w, const char *revision, const char *member)
{
	static const struct agent_records_handler handler = {
		.changed = changed, .trouble = trouble};

	*w = (struct world){.core.self = {.ns = STR("shop"),
				    .revision = base_str(revision),
				    .pod_uid = STR(TEST_UID2),
				    .member = base_str(member)}};
	assert_ok("records", agent_records_new(&w->core, &handler, w, &w->records, err));
}

/* Whoever reaches the peer port can name any record of the namespace. */
static void test_what_nobody_watches_is_not_kept(void **state)
{
	static const struct {
		const char *name, *revision;
		bool leads;
	} rows[] = {
		{"a member of another revision", "orders-2", true},
		{"a member while we do not lead", "orders-1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		world_begin(&w, rows[i].revision, "orders-1-a.aaaaaaaa");
		follow(&w, rows[i].leads);
		const size_t live = base_alloc_live();
		put(&w, TEST_MEMBER("", ""));
		if (base_alloc_live() != live || w.changes)
			fail_msg("%s: kept", rows[i].name);
		agent_records_free(w.records);
	}
}

static void test_members_go_with_their_watch(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "orders-1", "orders-1-a.aaaaaaaa");
	follow(&w, true);
	put(&w, TEST_MEMBER("", ""));
	assert_int_equal(members(&w), 1);
	follow(&w, false);
	follow(&w, true);
	/* It may have been deleted meanwhile, and no watch would tell. */
	assert_int_equal(members(&w), 0);
	agent_records_free(w.records);
}

static void test_what_is_always_watched_is_kept(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "orders-1", MEMBER);
	put(&w, TEST_MEMBER("", ""));
	put(&w, TEST_LEADER("", ""));
	follow(&w, true);
	follow(&w, false);
	assert_non_null(agent_records_own(w.records));
	assert_non_null(agent_records_leader(w.records));
	agent_records_free(w.records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_nobody_watches_is_not_kept),
		cmocka_unit_test(test_members_go_with_their_watch),
		cmocka_unit_test(test_what_is_always_watched_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
