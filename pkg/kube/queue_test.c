#include "pkg/kube/queue.h"

#include "pkg/base/test.h"

#define MS NS_PER_MS

struct world {
	struct env_fake fake;
	struct env env;
	struct kube_queue *q;
};

static struct world *open_world(struct world *w, const struct kube_queue_options *options)
{
	static const struct kube_queue_options defaults;

	*w = (struct world){.fake = {.boot_ns = NS_PER_S, .seed = 7}};
	w->env = base_env_fake(&w->fake);
	assert_ok("new", kube_queue_new(&w->env, options ? options : &defaults, &w->q, err));
	return w;
}

static void close_world(struct world *w)
{
	kube_queue_free(w->q);
}

static void expect(struct world *w, const char *want)
{
	struct str key = STR_NULL;
	const bool got = kube_queue_get(w->q, &key);

	if (got != (want != NULL) || (got && !base_str_eq(key, base_str(want))))
		fail_msg("got '%.*s', wanted %s", STR_FMT(key), want ? want : "nothing");
}

/* A script: +k add, _k add low, -k done, !k retry, ~k forget, >k add in 1 s, <k add in 500 ms,
 * *n n*100 ms go by, =k get gives k, . get gives nothing, X shutdown. */
static const struct {
	const char *name, *script;
} scripts[] = {
	{"first in, first out", "+a +b +c =a =b =c ."},
	{"a key waits once", "+a +a +a =a ."},
	{"in hand: not again until done", "+a =a +a . -a =a -a ."},
	{"added often in hand: once more", "+a =a +a +a +a -a =a -a ."},
	{"done without a change", "+a =a -a . +a =a"},
	{"others go on", "+a =a +a +b =b -b . -a =a"},
	{"behind those that wait", "+a =a +b +a +c -a =b =c =a ."},
	{"done of what is not in hand", "-a +a -a =a -a -a ."},
	{"forget of the unknown", "~a +a ~a =a"},
	{"later", ">a . *9 . *1 =a ."},
	{"earlier wins", ">a <a *5 =a -a . *5 ."},
	{"later does not move it", "<a >a *5 =a -a . *5 ."},
	{"later and now: both", ">a +a =a -a . *10 =a ."},
	{"due while it waits: once", "<a +a *5 =a -a ."},
	{"due in hand: after done", "+a <a =a *5 . -a =a ."},
	{"in order of time", ">a *1 <b *1 >c *8 =b =a . *2 =c ."},
	{"retry", "+a =a !a -a . *1 =a -a ."},
	{"retry in hand", "+a =a !a *1 . -a =a"},
	{"low: behind the others", "_a _b +c =c =a =b ."},
	{"low: lifted by add", "_a _b +b =b =a ."},
	{"low does not lower", "+a +b _a =a =b"},
	{"low: lifted in hand", "+a =a _a +a +b -a =b =a"},
	{"low: has waited for 5 s", "_a *49 +b +c *1 =a =b =c"},
	{"empty key", "+ = - ."},
	{"shutdown drains", "+a +b >c X +d =a -a =b -b . *10 . !a *1 ."},
	{"shutdown keeps what changed in hand", "+a =a +a X +b -a =a -a ."},
};

static void step(struct world *w, char op, struct str key)
{
	char text[8] = "";
	uint64_t n = 0;

	assert_ok("key", base_str_copy(key, text, sizeof(text), "key", err));
	switch (op) {
	case '+':
		assert_ok("add", kube_queue_add(w->q, key, err));
		return;
	case '_':
		assert_ok("low", kube_queue_add_low(w->q, key, err));
		return;
	case '-':
		kube_queue_done(w->q, key);
		return;
	case '!':
		assert_ok("retry", kube_queue_retry(w->q, key, err));
		return;
	case '~':
		kube_queue_forget(w->q, key);
		return;
	case '>':
	case '<':
		assert_ok("after",
			kube_queue_add_after(w->q, key, (op == '>' ? 1000 : 500) * MS, err));
		return;
	case '*':
		assert_ok("time", base_parse_u64(key, 1000, &n, err));
		w->fake.boot_ns += (int64_t)n * 100 * MS;
		return;
	case '=':
		expect(w, text);
		return;
	case '.':
		expect(w, NULL);
		return;
	case 'X':
		kube_queue_shutdown(w->q);
		return;
	default:
		fail_msg("op %c", op);
	}
}

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct world w;
		const struct str s = base_str(scripts[i].script);
		print_message("%s\n", scripts[i].name);
		open_world(&w, NULL);
		for (size_t from = 0, to; from < s.n; from = to + 1) {
			to = base_str_find(s, ' ', from);
			step(&w, s.p[from], base_str_sub(s, from + 1, to));
		}
		close_world(&w);
	}
}

/* Delays of one key: 5 ms doubled, times 1 to 1.2, at most the cap; anew after forget. */
static void test_back_off(void **state)
{
	struct world w;
	int64_t want = 5 * MS;

	(void)state;
	open_world(&w, NULL);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(kube_queue_failures(w.q, STR("a")), i);
		assert_ok("retry", kube_queue_retry(w.q, STR("a"), err));
		const int64_t at = kube_queue_next_boot_ns(w.q), delay = at - w.fake.boot_ns;
		if (delay < want || delay > want + want / 5)
			fail_msg("retry %d: %lld ns, wanted %lld", i, (long long)delay,
				(long long)want);
		w.fake.boot_ns = at - 1;
		expect(&w, NULL);
		w.fake.boot_ns = at;
		expect(&w, "a");
		kube_queue_done(w.q, STR("a"));
		want = want * 2 < 1000 * NS_PER_S ? want * 2 : 1000 * NS_PER_S;
	}
	kube_queue_forget(w.q, STR("a"));
	assert_int_equal(kube_queue_failures(w.q, STR("a")), 0);
	assert_ok("retry", kube_queue_retry(w.q, STR("a"), err));
	assert_true(kube_queue_next_boot_ns(w.q) - w.fake.boot_ns <= 6 * MS);
	close_world(&w);
}

/* 100 at once, then 10 a second, all keys together. */
static void test_rate(void **state)
{
	struct world w;
	char key[16];
	int ready = 0;
	struct str got;

	(void)state;
	open_world(&w, NULL);
	for (int i = 0; i < 150; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_ok("retry", kube_queue_retry(w.q, base_str(key), err));
	}
	w.fake.boot_ns += 10 * MS;
	for (; kube_queue_get(w.q, &got); ready++)
		;
	assert_int_equal(ready, 100);
	w.fake.boot_ns += NS_PER_S;
	for (; kube_queue_get(w.q, &got); ready++)
		;
	assert_int_equal(ready, 110);
	w.fake.boot_ns += 4 * NS_PER_S;
	for (; kube_queue_get(w.q, &got); ready++)
		;
	assert_int_equal(ready, 150);
	close_world(&w);
}

static void test_bound(void **state)
{
	const struct kube_queue_options options = {.max = 3};
	struct world w;

	(void)state;
	open_world(&w, &options);
	assert_ok("a", kube_queue_add(w.q, STR("a"), err));
	assert_ok("b", kube_queue_add_after(w.q, STR("b"), NS_PER_S, err));
	assert_ok("c", kube_queue_retry(w.q, STR("c"), err));
	assert_class("d", ERR_TOO_LARGE, kube_queue_add(w.q, STR("d"), err));
	assert_class("d", ERR_TOO_LARGE, kube_queue_add_after(w.q, STR("d"), 1, err));
	assert_class("d", ERR_TOO_LARGE, kube_queue_retry(w.q, STR("d"), err));
	assert_ok("a again", kube_queue_add(w.q, STR("a"), err));
	assert_int_equal(kube_queue_stats(w.q)->refused, 3);
	expect(&w, "a");
	assert_class("in hand counts", ERR_TOO_LARGE, kube_queue_add(w.q, STR("d"), err));
	kube_queue_done(w.q, STR("a"));
	assert_ok("room again", kube_queue_add(w.q, STR("d"), err));
	close_world(&w);
}

static void test_next_time(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, NULL);
	assert_true(kube_queue_next_boot_ns(w.q) == INT64_MAX);
	assert_ok("after", kube_queue_add_after(w.q, STR("a"), INT64_MAX, err));
	assert_true(kube_queue_next_boot_ns(w.q) == INT64_MAX);
	assert_ok("after", kube_queue_add_after(w.q, STR("b"), 5 * MS, err));
	assert_int_equal(kube_queue_next_boot_ns(w.q), w.fake.boot_ns + 5 * MS);
	assert_ok("add", kube_queue_add(w.q, STR("c"), err));
	assert_true(kube_queue_next_boot_ns(w.q) <= w.fake.boot_ns);
	assert_int_equal(kube_queue_stats(w.q)->delayed, 2);
	assert_int_equal(kube_queue_stats(w.q)->depth, 1);
	close_world(&w);
}

static void test_stats(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, NULL);
	assert_ok("add", kube_queue_add(w.q, STR("a"), err));
	w.fake.boot_ns += 3 * MS;
	expect(&w, "a");
	assert_int_equal(kube_queue_stats(w.q)->in_hand, 1);
	w.fake.boot_ns += 4 * MS;
	kube_queue_done(w.q, STR("a"));
	const struct kube_queue_stats *s = kube_queue_stats(w.q);
	assert_int_equal(s->queue_ns, 3 * MS);
	assert_int_equal(s->work_ns, 4 * MS);
	assert_int_equal(s->added, 1);
	assert_int_equal(s->taken, 1);
	assert_int_equal(s->done, 1);
	assert_int_equal(s->in_hand, 0);
	assert_int_equal(s->depth, 0);
	close_world(&w);
}

/* Random calls beside a naive model of the three sets. */
#define KEYS 6
struct model {
	bool dirty[KEYS], in_hand[KEYS];
	int64_t due[KEYS]; /* 0: none */
};

static void model_ripen(struct model *m, int64_t now)
{
	for (int k = 0; k < KEYS; k++)
		if (m->due[k] && m->due[k] <= now) {
			m->due[k] = 0;
			m->dirty[k] = true;
		}
}

static void random_get(struct world *w, struct model *m)
{
	struct str key;
	bool any = false;

	model_ripen(m, w->fake.boot_ns);
	for (int k = 0; k < KEYS; k++)
		any = any || (m->dirty[k] && !m->in_hand[k]);
	assert_int_equal(kube_queue_get(w->q, &key), any);
	if (!any)
		return;
	const int k = key.p[0] - 'a';
	assert_true(m->dirty[k] && !m->in_hand[k]);
	m->dirty[k] = false;
	m->in_hand[k] = true;
}

static void random_call(struct world *w, struct model *m, uint64_t random)
{
	const char name[] = {(char)('a' + random % KEYS), 0};
	const int k = (int)(random % KEYS);
	const int64_t delay = (int64_t)(random >> 16 & 15) * MS, due = w->fake.boot_ns + delay;

	switch (random >> 8 & 7) {
	case 0:
		assert_ok("add", kube_queue_add(w->q, base_str(name), err));
		m->dirty[k] = true;
		break;
	case 1:
		assert_ok("low", kube_queue_add_low(w->q, base_str(name), err));
		m->dirty[k] = true;
		break;
	case 2:
		assert_ok("after", kube_queue_add_after(w->q, base_str(name), delay, err));
		if (delay == 0)
			m->dirty[k] = true;
		else if (!m->due[k] || due < m->due[k])
			m->due[k] = due;
		break;
	case 3:
	case 4:
		kube_queue_done(w->q, base_str(name));
		m->in_hand[k] = false;
		break;
	case 5:
		w->fake.boot_ns += delay;
		/* A delay that is over and not seen by get yet still counts as a delay. */
		break;
	default:
		random_get(w, m);
		break;
	}
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		struct model m = {0};
		const size_t live = base_alloc_live();
		uint64_t x = seed * 0x9e3779b97f4a7c15ULL;
		open_world(&w, NULL);
		for (int i = 0; i < 500; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			random_call(&w, &m, x >> 20);
		}
		close_world(&w);
		assert_int_equal(base_alloc_live(), live);
	}
}

/* Idle keys are forgotten: nothing grows. */
static void test_memory(void **state)
{
	struct world w;
	char key[16];
	struct str got;

	(void)state;
	open_world(&w, NULL);
	const size_t live = base_alloc_live();
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		assert_ok("add", kube_queue_add(w.q, base_str(key), err));
		assert_true(kube_queue_get(w.q, &got));
		kube_queue_done(w.q, got);
	}
	assert_true(base_alloc_live() < live + 20);
	close_world(&w);
}

static int torture_queue(void *ctx, struct err *err)
{
	struct world w = {.fake = {.boot_ns = NS_PER_S}};
	_cleanup_(kube_queue_free) struct kube_queue *q = NULL;
	const struct kube_queue_options options = {0};
	struct str key;

	(void)ctx;
	w.env = base_env_fake(&w.fake);
	TRY(kube_queue_new(&w.env, &options, &q, err));
	TRY(kube_queue_add(q, STR("a"), err));
	TRY(kube_queue_add_after(q, STR("b"), 1, err));
	TRY(kube_queue_retry(q, STR("c"), err));
	w.fake.boot_ns += NS_PER_S;
	while (kube_queue_get(q, &key))
		kube_queue_done(q, key);
	return 0;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture_run("queue", torture_queue, NULL, 1) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_next_time),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
