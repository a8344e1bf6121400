#include "agent/room.h"
#include "pkg/base/test.h"

static void again(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static void guests_are_served_in_order(void **state)
{
	unsigned calls[3] = {0};
	struct agent_guest a = {.again = again, .ctx = &calls[0]};
	struct agent_guest b = {.again = again, .ctx = &calls[1]};
	struct agent_guest c = {.again = again, .ctx = &calls[2]};
	struct agent_room room;

	(void)state;
	agent_room_init(&room, 10);
	assert_true(agent_room_take(&room, &a, 8));
	assert_true(agent_room_take(&room, &a, 8)); /* has it */
	assert_int_equal(room.used, 8);
	assert_false(agent_room_take(&room, &b, 4));
	assert_false(agent_room_take(&room, &c, 1)); /* would fit, but b is first */
	agent_room_leave(&room, &a);
	assert_int_equal(calls[1], 1);
	assert_int_equal(calls[2], 0);
	assert_true(agent_room_take(&room, &b, 4));
	assert_int_equal(calls[2], 1); /* one end may be room for two */
	assert_true(agent_room_take(&room, &c, 1));
	agent_room_leave(&room, &b);
	agent_room_leave(&room, &c);
	assert_int_equal(room.used, 0);
}

static void who_leaves_the_line_lets_the_next_go(void **state)
{
	unsigned calls[3] = {0};
	struct agent_guest a = {.again = again, .ctx = &calls[0]};
	struct agent_guest b = {.again = again, .ctx = &calls[1]};
	struct agent_guest c = {.again = again, .ctx = &calls[2]};
	struct agent_room room;

	(void)state;
	agent_room_init(&room, 10);
	assert_true(agent_room_take(&room, &a, 6));
	assert_false(agent_room_take(&room, &b, 6));
	assert_false(agent_room_take(&room, &c, 4));
	agent_room_leave(&room, &b);
	assert_int_equal(calls[2], 1);
	assert_true(agent_room_take(&room, &c, 4));
	agent_room_leave(&room, &a);
	agent_room_leave(&room, &a); /* repeatable */
	assert_int_equal(room.used, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_are_served_in_order),
		cmocka_unit_test(who_leaves_the_line_lets_the_next_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
