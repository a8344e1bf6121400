/* Tables of single steps: a view goes in, the wanted actions come out. Tests only. */
#ifndef PROTOCOL_TEST_STEPS_H
#define PROTOCOL_TEST_STEPS_H

#include "pkg/protocol/test_scene.h"

#define NONE 0

struct step_row {
	const char *name;
	void (*set)(struct scene *);
	enum protocol_kind want[4];
	int64_t epoch, term; /* of the first action, where not 0 */
	const char *reason;
	bool wakes;
};

static inline void check_kinds(const struct step_row *row, const struct protocol_plan *plan)
{
	size_t n = 0;

	for (; n < ARRAY_LEN(row->want) && row->want[n]; n++)
		if (n >= plan->actions_len || plan->actions[n].kind != row->want[n])
			fail_msg("%s: action %zu: wanted %s, got %s", row->name, n,
				protocol_kind_name(row->want[n]),
				n < plan->actions_len ? protocol_kind_name(plan->actions[n].kind)
						      : "nothing");
	if (plan->actions_len != n)
		fail_msg("%s: %zu actions, wanted %zu; the next is %s", row->name,
			plan->actions_len, n, protocol_kind_name(plan->actions[n].kind));
}

static inline void run_step(const struct step_row *row)
{
	static struct scene s;
	static struct protocol_plan plan;
	const struct protocol_action *a = &plan.actions[0];

	settled(&s);
	row->set(&s);
	/* Rows that are about other things move the clock. */
	if (s.v.keeper.certified_ns == SCENE_CERTIFIED)
		s.v.keeper.certified_ns += s.v.wall_ns - SCENE_WALL;
	protocol_step(&s.v, NULL, &plan);
	check_kinds(row, &plan);
	if ((row->epoch && a->epoch != row->epoch) || (row->term && a->term != row->term))
		fail_msg("%s: epoch %lld, term %lld", row->name, (long long)a->epoch,
			(long long)a->term);
	if (row->reason && (!a->reason || strcmp(a->reason, row->reason) != 0))
		fail_msg("%s: reason %s", row->name, a->reason ? a->reason : "none");
	if (row->wakes && plan.wake_ns <= s.v.boot_ns)
		fail_msg("%s: sleeps on", row->name);
}

static inline void run_steps(const struct step_row *rows, size_t len)
{
	for (size_t i = 0; i < len; i++)
		run_step(&rows[i]);
}

#endif
