/* Histories by seed: every invariant holds in each; what is broken on purpose is found. */
#include "pkg/base/test.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

/* Sanitizers make each history ten times as long, and its addresses, and so its order, vary. */
#ifdef BASE_SANITIZED
#define HISTORIES 6
#define IS_EXACT  false
#else
#define HISTORIES 200
#define IS_EXACT  true
#endif
#define FAULTS_NS (90 * NS_PER_S)

/* SIM_SEEDS=n: so many histories; SIM_SEED=n: this one, told write by write. */
static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t n = otherwise;

	if (text)
		assert_ok(name, base_parse_u64(base_str(text), UINT64_MAX, &n, err));
	return n;
}

static struct sim_options options_of(uint64_t seed)
{
	return (struct sim_options){.seed = seed,
		.replicas = (int)(seed % 5) + 1,
		.faults_ns = FAULTS_NS,
		.periods = true};
}

static void test_invariants_hold(void **state)
{
	const uint64_t one = number_of("SIM_SEED", 0);
	const uint64_t first = one ? one : number_of("SIM_FIRST", 1);
	const uint64_t n = one ? 1 : number_of("SIM_SEEDS", HISTORIES);
	struct sim_stats sum = {0};

	(void)state;
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct sim_options options = options_of(seed);
		struct sim_stats stats = {0};
		char failure[SIM_FAILURE_MAX] = "";
		options.trace = one != 0;
		if (sim_history(&options, failure, &stats) != 0)
			fail_msg("seed %llu: %s", (unsigned long long)seed, failure);
		sum.faults += stats.faults;
		sum.writes += stats.writes;
		sum.refused += stats.refused;
		sum.epochs += stats.epochs;
		sum.terms += stats.terms;
		sum.grants += stats.grants;
		sum.lost += stats.lost;
	}
	print_message("%llu histories: %llu faults, %llu writes, %llu refused, %llu lost, %llu "
		      "terms, %llu epochs, %llu grants\n",
		(unsigned long long)n, (unsigned long long)sum.faults,
		(unsigned long long)sum.writes, (unsigned long long)sum.refused,
		(unsigned long long)sum.lost, (unsigned long long)sum.terms,
		(unsigned long long)sum.epochs, (unsigned long long)sum.grants);
	/* A world in which nothing happens shows nothing. */
	assert_true(sum.epochs > n && sum.grants > n && (one || (sum.faults > n && sum.lost > 0)));
}

static void test_equal_seeds_give_equal_histories(void **state)
{
	struct sim_stats a = {0}, b = {0};
	char failure[SIM_FAILURE_MAX] = "";
	const struct sim_options options = options_of(7);

	(void)state;
	assert_int_equal(sim_history(&options, failure, &a), 0);
	assert_int_equal(sim_history(&options, failure, &b), 0);
	if (IS_EXACT)
		assert_memory_equal(&a, &b, sizeof(a));
}

static const struct {
	const char *name;
	enum sim_plant plant;
	const char *told; /* part of what the invariant says; NULL: any may notice */
} plants[] = {
	{"an API server that does not fence", SIM_NO_FENCE, NULL},
	{"a watch that loses changes", SIM_LOST_EVENT, NULL},
	{"a keeper that forgets", SIM_FORGETFUL, "does not open"},
	{"a revocation that nobody is told of", SIM_UNTOLD, "is revoked and"},
	{"an API server that drops conditions", SIM_CHATTER, NULL},
};

static void test_what_is_broken_on_purpose_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		bool found = false;
		for (uint64_t seed = 1; seed <= 60 && !found; seed++) {
			struct sim_options options = options_of(seed);
			struct sim_stats stats = {0};
			char failure[SIM_FAILURE_MAX] = "";
			options.plant = plants[i].plant;
			options.late = plants[i].plant == SIM_NO_FENCE;
			options.periods = !options.late;
			found = sim_history(&options, failure, &stats) != 0 &&
				(!plants[i].told || strstr(failure, plants[i].told));
			if (found)
				print_message("%s: seed %llu, %s\n", plants[i].name,
					(unsigned long long)seed, failure);
		}
		if (!found)
			fail_msg("%s: no history shows it", plants[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invariants_hold),
		cmocka_unit_test(test_equal_seeds_give_equal_histories),
		cmocka_unit_test(test_what_is_broken_on_purpose_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
