#include "agent/announce_step.h"

#include "pkg/base/test.h"

#define ONE "01234567-89ab-cdef-0123-000000000001"
#define TWO "01234567-89ab-cdef-0123-000000000002"

enum { NONE, PREPARED, ACTIVE, RETIRED, REVOKED };

/* One look at a record whose newest key has that epoch and state; then, if status is not -1, the
 * answer to a try. */
struct look {
	bool leading;
	const char *uid; /* NULL: no record */
	int64_t epoch;
	int state;
	enum agent_announce_do want;
	int64_t waiting; /* afterwards, before the answer */
	int status;      /* -1: no answer */
	enum agent_announce_end end;
};

#define LOOKS 6
struct row {
	const char *name;
	struct look looks[LOOKS];
};

#define DO(x) AGENT_ANNOUNCE_##x
#define SAW(leads, uid, epoch, state, want, waiting)                         \
	{                                                                    \
		(leads), (uid), (epoch), (state), DO(want), (waiting), -1, 0 \
	}
#define TRIED(leads, uid, epoch, state, want, waiting, status, end)                      \
	{                                                                                \
		(leads), (uid), (epoch), (state), DO(want), (waiting), (status), DO(end) \
	}

static const struct row rows[] = {
	{"a new key", {TRIED(true, ONE, 1, ACTIVE, TAKE, 1, 202, DELIVERED)}},
	{"no record", {SAW(true, NULL, 0, NONE, NOTHING, 0)}},
	{"no key", {SAW(true, ONE, 0, NONE, NOTHING, 0)}},
	{"not leading", {SAW(false, ONE, 1, ACTIVE, NOTHING, 0)}},
	{"prepared only", {SAW(true, ONE, 1, PREPARED, NOTHING, 0)}},
	{"retired only", {SAW(true, ONE, 1, RETIRED, NOTHING, 0)}},
	{"revoked only", {SAW(true, ONE, 1, REVOKED, NOTHING, 0)}},
	{"prepared, then active",
		{SAW(true, ONE, 1, PREPARED, NOTHING, 0), SAW(true, ONE, 1, ACTIVE, TAKE, 1)}},
	{"the same epoch is not said twice", {TRIED(true, ONE, 1, ACTIVE, TAKE, 1, 200, DELIVERED),
						     SAW(true, ONE, 1, ACTIVE, NOTHING, 0),
						     SAW(false, ONE, 1, ACTIVE, NOTHING, 0),
						     SAW(true, ONE, 1, ACTIVE, NOTHING, 0)}},
	{"nor taken twice while it waits",
		{SAW(true, ONE, 1, ACTIVE, TAKE, 1), SAW(true, ONE, 1, ACTIVE, NOTHING, 1)}},
	{"the next epoch", {TRIED(true, ONE, 1, ACTIVE, TAKE, 1, 200, DELIVERED),
				   TRIED(true, ONE, 2, ACTIVE, TAKE, 2, 200, DELIVERED)}},
	{"a newer key takes the place of one that waits",
		{TRIED(true, ONE, 1, ACTIVE, TAKE, 1, 503, RETRIED),
			SAW(true, ONE, 2, ACTIVE, TAKE, 2)}},
	{"an epoch that goes back, after it was delivered",
		{TRIED(true, ONE, 5, ACTIVE, TAKE, 5, 200, DELIVERED),
			SAW(true, ONE, 4, ACTIVE, NOTHING, 0)}},
	{"an epoch that goes back, before: the record is right",
		{SAW(true, ONE, 5, ACTIVE, TAKE, 5), SAW(true, ONE, 4, ACTIVE, TAKE, 4)}},
	{"another record by that name",
		{TRIED(true, ONE, 5, ACTIVE, TAKE, 5, 200, DELIVERED),
			TRIED(true, TWO, 1, ACTIVE, TAKE, 1, 200, DELIVERED),
			SAW(true, TWO, 1, ACTIVE, NOTHING, 0)}},
	{"another record while one waits",
		{SAW(true, ONE, 5, ACTIVE, TAKE, 5), SAW(true, TWO, 5, ACTIVE, TAKE, 5)}},
	{"a uid that is none", {SAW(true, ONE ONE, 5, ACTIVE, NOTHING, 0)}},
	{"leads no more: another one says it",
		{SAW(true, ONE, 1, ACTIVE, TAKE, 1), SAW(false, ONE, 1, ACTIVE, DROP, 0),
			SAW(false, ONE, 1, ACTIVE, NOTHING, 0)}},
	{"and leads again, with the same key",
		{SAW(true, ONE, 1, ACTIVE, TAKE, 1), SAW(false, ONE, 1, ACTIVE, DROP, 0),
			SAW(true, ONE, 1, ACTIVE, TAKE, 1)}},
	{"the key is revoked while it waits",
		{SAW(true, ONE, 1, ACTIVE, TAKE, 1), SAW(true, ONE, 1, REVOKED, DROP, 0)}},
	{"the record goes while it waits",
		{SAW(true, ONE, 1, ACTIVE, TAKE, 1), SAW(true, NULL, 0, NONE, DROP, 0)}},
	{"refused for good, and not said again",
		{TRIED(true, ONE, 1, ACTIVE, TAKE, 1, 400, FAILED),
			SAW(true, ONE, 1, ACTIVE, NOTHING, 0), SAW(true, ONE, 2, ACTIVE, TAKE, 2)}},
};

static const char *const do_names[] = {"nothing", "take", "drop"};

static void check_look(const struct row *row, size_t i, struct agent_announcing *a,
	const struct env *env, int64_t now)
{
	static const enum crds_key_state states[] = {[PREPARED] = CRDS_PREPARED,
		[ACTIVE] = CRDS_ACTIVE,
		[RETIRED] = CRDS_RETIRED,
		[REVOKED] = CRDS_REVOKED};
	const struct look *l = &row->looks[i];
	struct crds_key key = {.epoch = l->epoch, .state = states[l->state]};
	struct crds_functionkey record = {.uid = base_str(l->uid),
		.epoch = l->epoch,
		.active_epoch = l->state == ACTIVE ? l->epoch : 0,
		.keys = &key,
		.keys_len = l->state != NONE};
	const struct agent_announce_view v = {
		.boot_ns = now, .leading = l->leading, .record = l->uid ? &record : NULL};
	const enum agent_announce_do have = agent_announce_look(a, &v, env);

	if (have != l->want || a->waiting != l->waiting)
		fail_msg("%s, look %zu: %s, waits for %lld", row->name, i, do_names[have],
			(long long)a->waiting);
	if (have == AGENT_ANNOUNCE_TAKE && (a->due_ns < now || a->tries != 0 || a->since_ns != now))
		fail_msg(
			"%s, look %zu: due after %lld", row->name, i, (long long)(a->due_ns - now));
	if (l->status < 0)
		return;
	const enum agent_announce_end end =
		agent_announce_answered(a, (unsigned)l->status, 0, now, env);
	if (end != l->end)
		fail_msg("%s, look %zu: answer %d ends as %d", row->name, i, l->status, end);
}

static void what_is_announced_when(void **state)
{
	struct env_fake fake = {.boot_ns = 1000 * NS_PER_S, .seed = 1};
	const struct env env = base_env_fake(&fake);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_announcing a = {0};
		for (size_t j = 0;
			j < LOOKS && (j == 0 || rows[i].looks[j].want || rows[i].looks[j].uid); j++)
			check_look(&rows[i], j, &a, &env, (int64_t)(1000 + j) * NS_PER_S);
	}
}

static void answers(void **state)
{
	static const struct {
		const char *name;
		unsigned status;
		uint64_t retry_after;
		enum agent_announce_end end;
		int64_t least_s, most_s; /* until the next try */
	} table[] = {
		{"accepted", 202, 0, DO(DELIVERED), 0, 0},
		{"no content", 204, 0, DO(DELIVERED), 0, 0},
		{"taken, with a Retry-After", 200, 9, DO(DELIVERED), 0, 0},
		{"sink down, or slow", 0, 0, DO(RETRIED), 0, 1},
		{"moved: not followed", 301, 0, DO(FAILED), 0, 0},
		{"found: not followed", 302, 0, DO(FAILED), 0, 0},
		{"not modified", 304, 0, DO(FAILED), 0, 0},
		{"see there, again", 307, 5, DO(FAILED), 0, 0},
		{"not understood", 400, 0, DO(FAILED), 0, 0},
		{"who are you", 401, 0, DO(FAILED), 0, 0},
		{"forbidden", 403, 9, DO(FAILED), 0, 0},
		{"not there yet", 404, 0, DO(RETRIED), 0, 1},
		{"not allowed", 405, 0, DO(FAILED), 0, 0},
		{"time-out", 408, 0, DO(RETRIED), 0, 1},
		{"conflict", 409, 0, DO(RETRIED), 0, 1},
		{"gone", 410, 0, DO(FAILED), 0, 0},
		{"too large", 413, 0, DO(FAILED), 0, 0},
		{"too early", 425, 0, DO(RETRIED), 0, 1},
		{"too many", 429, 0, DO(RETRIED), 0, 1},
		{"too many, later", 429, 20, DO(RETRIED), 20, 21},
		{"too many, in a year", 429, 31536000, DO(RETRIED), 300, 301},
		{"too many, never", 429, UINT64_MAX, DO(RETRIED), 300, 301},
		{"broken", 500, 0, DO(RETRIED), 0, 1},
		{"busy, later", 503, 7, DO(RETRIED), 7, 8},
		{"no status that is one", 999, 0, DO(RETRIED), 0, 1},
		{"informational", 100, 0, DO(FAILED), 0, 0},
	};
	struct env_fake fake = {.seed = 2};
	const struct env env = base_env_fake(&fake);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct agent_announcing a = {.waiting = 3, .since_ns = 0};
		const enum agent_announce_end end =
			agent_announce_answered(&a, table[i].status, table[i].retry_after, 0, &env);
		if (end != table[i].end)
			fail_msg("%s: ends as %d", table[i].name, end);
		if (end != DO(RETRIED)) {
			assert_int_equal(a.settled, 3);
			assert_int_equal(a.waiting, 0);
			continue;
		}
		assert_int_equal(a.settled, 0);
		assert_int_equal(a.waiting, 3);
		if (a.due_ns < table[i].least_s * NS_PER_S ||
			a.due_ns > table[i].most_s * NS_PER_S || a.due_ns < NS_PER_S / 2)
			fail_msg("%s: again after %lld ms", table[i].name,
				(long long)(a.due_ns / NS_PER_MS));
	}
}

/* A sink that is down: each pause longer up to a minute, and an end. */
static void bounded(void **state)
{
	struct env_fake fake = {.seed = 3};
	const struct env env = base_env_fake(&fake);
	struct agent_announcing a = {.waiting = 1};
	enum agent_announce_end end = DO(RETRIED);
	int64_t now = 0;
	unsigned tries = 0;

	(void)state;
	while (end == DO(RETRIED)) {
		const int64_t doubled = AGENT_ANNOUNCE_FIRST_NS << (tries < 10 ? tries : 10);
		const int64_t most =
			doubled < AGENT_ANNOUNCE_MAX_NS ? doubled : AGENT_ANNOUNCE_MAX_NS;
		end = agent_announce_answered(&a, 0, 0, now, &env);
		tries++;
		if (a.due_ns - now < most / 2 || a.due_ns - now > most)
			fail_msg("try %u: again after %lld ms", tries,
				(long long)((a.due_ns - now) / NS_PER_MS));
		now = a.due_ns;
		assert_true(tries <= AGENT_ANNOUNCE_TRIES);
	}
	assert_int_equal(end, DO(FAILED));
	assert_true(now > 300 * NS_PER_S && now < AGENT_ANNOUNCE_LIMIT_NS + 60 * NS_PER_S);
	/* Patience that would go past the limit ends it. */
	a = (struct agent_announcing){.waiting = 1};
	assert_int_equal(agent_announce_answered(&a, 503, 300, 700 * NS_PER_S, &env), DO(FAILED));
}

/* A newer key does not make us ask a busy sink sooner. */
static void patience_is_kept(void **state)
{
	struct env_fake fake = {.seed = 4};
	const struct env env = base_env_fake(&fake);
	struct agent_announcing a = {0};
	struct crds_key key = {.epoch = 1, .state = CRDS_ACTIVE};
	const struct crds_functionkey record = {
		.uid = STR(ONE), .epoch = 1, .active_epoch = 1, .keys = &key, .keys_len = 1};
	struct agent_announce_view v = {.leading = true, .record = &record};

	(void)state;
	assert_int_equal(agent_announce_look(&a, &v, &env), DO(TAKE));
	assert_int_equal(agent_announce_answered(&a, 429, 60, 0, &env), DO(RETRIED));
	struct crds_functionkey newer = record;
	key.epoch = newer.epoch = newer.active_epoch = 2;
	v = (struct agent_announce_view){.boot_ns = NS_PER_S, .leading = true, .record = &newer};
	assert_int_equal(agent_announce_look(&a, &v, &env), DO(TAKE));
	assert_true(a.due_ns >= 60 * NS_PER_S);
}

/* A former leader's key waits for the one that mostly follows; one of our term does not. */
static void former_keys_wait(void **state)
{
	static const struct {
		int64_t term;
		bool late;
	} table[] = {{3, false}, {2, true}, {4, false}};
	struct env_fake fake = {.seed = 5};
	const struct env env = base_env_fake(&fake);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct agent_announcing a = {0};
		struct crds_key key = {.epoch = 1, .state = CRDS_ACTIVE, .term = table[i].term};
		const struct crds_functionkey record = {.uid = STR(ONE),
			.epoch = 1,
			.active_epoch = 1,
			.has_leader = true,
			.leader.term = 3,
			.keys = &key,
			.keys_len = 1};
		const struct agent_announce_view v = {.leading = true, .record = &record};
		assert_int_equal(agent_announce_look(&a, &v, &env), DO(TAKE));
		assert_int_equal(a.due_ns >= AGENT_ANNOUNCE_FORMER_NS, table[i].late);
		/* That one does not wait because the former one did. */
		struct crds_functionkey newer = record;
		struct crds_key next = {.epoch = 2, .state = CRDS_ACTIVE, .term = 3};
		newer.keys = &next;
		newer.epoch = newer.active_epoch = 2;
		const struct agent_announce_view then = {.leading = true, .record = &newer};
		assert_int_equal(agent_announce_look(&a, &then, &env), DO(TAKE));
		assert_true(a.due_ns <= AGENT_ANNOUNCE_SPREAD_NS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_announced_when),
		cmocka_unit_test(answers),
		cmocka_unit_test(bounded),
		cmocka_unit_test(patience_is_kept),
		cmocka_unit_test(former_keys_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
