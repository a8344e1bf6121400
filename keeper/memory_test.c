/* Where secrets lie, and that they are gone when they are erased: by looking through the memory
 * of the process itself. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "keeper/life.h"
#include "keeper/state.h"

#define MASK 0xa5 /* so that what is looked for is not found in the looker */

/* Needles: a scalar as it is encoded, as its limbs lie in memory, and halves of both. */
struct needle {
	uint8_t masked[SECRET_LEN];
};

static struct needle needle_of(const struct secret *s)
{
	struct needle n;

	for (size_t i = 0; i < SECRET_LEN; i++)
		n.masked[i] = s->b[i] ^ MASK;
	return n;
}

static bool is_here(const uint8_t *p, const struct needle *n, bool reversed)
{
	for (size_t i = 0; i < SECRET_LEN / 2; i++)
		if ((p[i] ^ MASK) != n->masked[reversed ? SECRET_LEN - 1 - i : i])
			return false;
	return true;
}

static uint8_t chunk[1 << 16];

static int count_in_region(int fd, uintptr_t from, uintptr_t to, const struct needle *n)
{
	const size_t overlap = SECRET_LEN;
	int found = 0;

	for (uintptr_t at = from; at < to; at += sizeof(chunk) - overlap) {
		const size_t want = to - at < sizeof(chunk) ? to - at : sizeof(chunk);
		const ssize_t got = pread(fd, chunk, want, (off_t)at);
		for (ssize_t i = 0; i + SECRET_LEN / 2 <= got; i++)
			found += is_here(chunk + i, n, false) || is_here(chunk + i, n, true);
		base_wipe(chunk, sizeof(chunk));
	}
	return found;
}

/* How often the secret lies in writable memory of this process, the looker's own aside. */
static int count(const struct needle *n)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512];
	int found = 0;

	assert_non_null(maps);
	assert_true(fd >= 0);
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from = 0, to = 0;
		char mode[5] = "";
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own form */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, mode) != 3 ||
			mode[1] != 'w')
			continue;
		if ((uintptr_t)chunk >= from && (uintptr_t)chunk < to) {
			found += count_in_region(fd, from, (uintptr_t)chunk, n);
			from = (uintptr_t)(chunk + sizeof(chunk));
		}
		found += count_in_region(fd, from, to, n);
	}
	(void)fclose(maps);
	(void)close(fd);
	return found;
}

/* Sanitizers keep frames and freed memory where nobody wipes them, and do not lock pages. */
static void needs_plain_memory(void)
{
#ifdef BASE_SANITIZED
	skip();
#endif
}

static void test_the_looker_sees(void **state)
{
	static struct secret planted;
	struct env_fake fake = {.seed = 77};
	const struct env env = base_env_fake(&fake);

	(void)state;
	needs_plain_memory();
	assert_ok("random", base_random(&env, planted.b, sizeof(planted.b), err));
	const struct needle n = needle_of(&planted);
	const int before = count(&n);
	assert_true(before >= 1);
	base_secret_wipe(&planted);
	assert_int_equal(count(&n), before - 1);
}

/* Everything that works with the secrets of a leader and of a member. */
static void use(struct life *a, struct life *b)
{
	const struct kmsg_term_reply term = life_term(a, 1);
	const struct kmsg_epoch_reply e1 = life_epoch(a, 1, 1, 0);
	const struct kmsg_epoch_reply e2 = life_epoch(a, 2, 1, 1);
	const struct kmsg_grant_reply g = life_get(a, life_grant_request(b, 1, 1)).grant;
	const struct life_message m = life_wrap(&e1.key, 9);

	(void)e2;
	(void)life_get(b, life_accept_request(a, 1, 1, &e1.key, &term.verifying, &g));
	life_opens(a, &m);
	life_opens(b, &m);
}

static void test_erased_is_gone(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0};
	const struct kmsg_request erase = {.op = KMSG_ERASE, .erase.epoch = 1};

	(void)state;
	needs_plain_memory();
	life_begin(&a, 1, "r", "a");
	life_begin(&b, 2, "r", "b");
	use(&a, &b);
	const struct needle of_a = needle_of(&a.keeper->secrets->opening[0]);
	const struct needle of_b = needle_of(&b.keeper->secrets->opening[0]);
	const struct needle of_precursor = needle_of(&a.keeper->secrets->shared[0].precursor.x);
	const struct needle of_ephemeral = needle_of(&a.keeper->secrets->shared[0].ephemeral.sum);
	assert_int_equal(count(&of_precursor), 1);
	assert_int_equal(count(&of_ephemeral), 1);
	assert_memory_equal(of_a.masked, of_b.masked, SECRET_LEN);
	assert_int_equal(count(&of_a), 2);
	(void)life_get(&b, erase);
	assert_int_equal(count(&of_a), 1);
	(void)life_get(&a, erase);
	assert_int_equal(count(&of_a), 0);
	assert_int_equal(count(&of_precursor), 0);
	assert_int_equal(count(&of_ephemeral), 0);
}

static void test_every_secret_lies_in_one_place(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0};

	(void)state;
	needs_plain_memory();
	life_begin(&a, 1, "r", "a");
	life_begin(&b, 2, "r", "b");
	use(&a, &b);
	const struct keeper_secrets *s = a.keeper->secrets, *t = b.keeper->secrets;
	const struct {
		const char *name;
		const struct secret *secret;
	} rows[] = {{"leader's receiving", &s->receiving}, {"leader's identity", &s->identity},
		{"verifying", &s->verifying}, {"second epoch", &s->opening[1]},
		{"member's receiving", &t->receiving}, {"member's inbox", &t->inbox},
		{"member's identity", &t->identity}};
	struct needle needles[ARRAY_LEN(rows)];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		needles[i] = needle_of(rows[i].secret);
		const int n = count(&needles[i]);
		if (n != 1)
			fail_msg("%s lies in %d places", rows[i].name, n);
	}
	life_done(&a);
	life_done(&b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(count(&needles[i]), 0);
}

/* The pages of the secrets, by what the kernel says of them. */
static void test_the_pages_are_locked_and_not_dumped(void **state)
{
	_cleanup_(life_done) struct life a = {0};
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];
	uintptr_t from = 0, to = 0, size = 0;
	bool inside = false, seen = false;

	(void)state;
	needs_plain_memory();
	assert_non_null(smaps);
	life_begin(&a, 1, "r", "a");
	const uintptr_t secrets = (uintptr_t)a.keeper->secrets;
	while (fgets(line, sizeof(line), smaps)) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own form */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
			inside = secrets >= from && secrets < to;
			size = to - from;
		}
		if (!inside || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		seen = true;
		assert_non_null(strstr(line, " dd"));
		assert_non_null(strstr(line, " wf"));
		if (a.keeper->memory.locked)
			assert_non_null(strstr(line, " lo"));
		assert_true(size <= (uintptr_t)48 * 1024);
	}
	assert_true(seen);
	(void)fclose(smaps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_looker_sees),
		cmocka_unit_test(test_erased_is_gone),
		cmocka_unit_test(test_every_secret_lies_in_one_place),
		cmocka_unit_test(test_the_pages_are_locked_and_not_dumped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
