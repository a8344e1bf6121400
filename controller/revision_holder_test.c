/* Who holds a key, and of which key that is said. */
#include "controller/test_scene.h"
#include "pkg/base/test.h"

/* The last holder of epoch 3 went, and that was written. */
static void nobody_left(struct scene *s)
{
	settled(s);
	last_holder_gone(s);
	settle_status(s);
	s->leader.observed_epoch = 3;
}

static void next_key(struct scene *s)
{
	s->members[0].opened[0] = s->members[1].opened[0] = 4;
	s->leader.active_epoch = 4;
}

/* Somebody new has made the next key; the last write was just now. */
static void somebody_came(struct scene *s)
{
	nobody_left(s);
	s->v.members_len = s->v.pods_len = 2;
	s->lease.holder = STR("billing-a_" UID_A "_1");
	next_key(s);
	s->v.status_ns = s->v.boot_ns - NS_PER_S / 2;
}

/* And went, before the controller said a word. */
static void and_went(struct scene *s)
{
	nobody_left(s);
	next_key(s);
}

static void just_after_a_write(struct scene *s)
{
	and_went(s);
	s->v.status_ns = s->v.boot_ns - NS_PER_S / 2;
}

static void and_that_was_said(struct scene *s)
{
	and_went(s);
	s->leader.observed_epoch = 4;
}

/* As by a controller from before. */
static void without_an_epoch(struct scene *s)
{
	nobody_left(s);
	s->leader.observed_epoch = 0;
}

static void epochs_are_dropped(struct scene *s)
{
	without_an_epoch(s);
	s->v.status_ns = s->v.boot_ns - 10 * NS_PER_S;
}

static void a_key_was_rotated(struct scene *s)
{
	settled(s);
	next_key(s);
	s->leader.observed_epoch = 3;
}

static const struct {
	const char *name;
	void (*set)(struct scene *s);
	bool write, wakes;
	enum crds_condition_status no_holder;
} rows[] = {
	{"what was said is not said again", nobody_left, .no_holder = CRDS_TRUE},
	{"that somebody holds one again is told at once", somebody_came, .write = true,
		.no_holder = CRDS_FALSE},
	{"that nobody holds the next one either is told, too", and_went, .write = true,
		.no_holder = CRDS_TRUE},
	{"once a second", just_after_a_write, .wakes = true, .no_holder = CRDS_TRUE},
	{"and once", and_that_was_said, .no_holder = CRDS_TRUE},
	{"an epoch is added to what is there", without_an_epoch, .write = true,
		.no_holder = CRDS_TRUE},
	{"not for ever where the API server drops its epoch", epochs_are_dropped,
		.no_holder = CRDS_TRUE},
	{"a new epoch alone is not worth a write", a_key_was_rotated, .no_holder = CRDS_FALSE},
};

static void test_when_it_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		struct controller_plan plan = {0};
		rows[i].set(&s);
		controller_status(&s.v, &plan);
		if (plan.write_status != rows[i].write ||
			(plan.wake_ns > s.v.boot_ns) != rows[i].wakes ||
			plan.conditions[CONTROLLER_NO_HOLDER].status != rows[i].no_holder)
			fail_msg("%s: writes %d, wakes at %lld", rows[i].name, plan.write_status,
				(long long)plan.wake_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_when_it_is_said)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
