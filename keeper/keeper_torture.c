/* Every allocation of ours failed in turn, through a keeper's life. */
#include "keeper/life.h"
#include "keeper/queue.h"

struct world {
	const struct env *env;
	struct kmsg_who who[2];
};

/* A refusal for want of memory comes back as the operation's; any other is a failed test. */
static int ask(
	struct keeper *k, struct kmsg_request request, struct kmsg_reply *ret, struct err *err)
{
	keeper_handle(k, &request, ret);
	if (ret->status)
		return FAIL(err, ret->status, "%s: %s", kmsg_op_name(request.op), ret->message);
	return 0;
}

static int live(void *ctx, struct err *err)
{
	const struct world *w = ctx;
	_cleanup_(keeper_free) struct keeper *a = NULL, *b = NULL;
	struct life leader = {.who = w->who[0]}, member = {.who = w->who[1]};
	struct kmsg_reply reply;

	TRY(keeper_new(w->env, &a, err));
	TRY(keeper_new(w->env, &b, err));
	TRY(ask(a, (struct kmsg_request){.op = KMSG_INIT, .init.who = leader.who}, &reply, err));
	leader.keys = reply.keys;
	TRY(ask(b, (struct kmsg_request){.op = KMSG_INIT, .init.who = member.who}, &reply, err));
	member.keys = reply.keys;
	TRY(ask(a, (struct kmsg_request){.op = KMSG_TERM, .term.term = 1}, &reply, err));
	const struct kmsg_point verifying = reply.term.verifying;
	TRY(ask(a, life_epoch_request(1, 1, 0), &reply, err));
	const struct kmsg_point key = reply.epoch.key;
	TRY(ask(a, life_epoch_request(2, 1, 1), &reply, err));
	TRY(ask(a, life_grant_request(&member, 1, 1), &reply, err));
	const struct kmsg_grant_reply grant = reply.grant;
	TRY(ask(b, life_accept_request(&leader, 1, 1, &key, &verifying, &grant), &reply, err));
	TRY(ask(b, life_plain(KMSG_INBOX_NEXT), &reply, err));
	TRY(ask(b, life_plain(KMSG_INBOX_COMMIT), &reply, err));
	const struct kmsg_request record = {
		.op = KMSG_RECORD, .record = {.epoch = 1, .term = 1, .key = key}};
	TRY(ask(a, record, &reply, err));
	TRY(ask(a, life_certify_request(&member, 1), &reply, err));
	TRY(ask(b, (struct kmsg_request){.op = KMSG_SIGN}, &reply, err));
	return ask(b, life_plain(KMSG_STATS), &reply, err);
}

static int queue(void *ctx, struct err *err)
{
	_cleanup_(keeper_queue_done) struct keeper_queue q = {0};

	(void)ctx;
	return keeper_queue_init(&q, err);
}

static void test_torture(void **state)
{
	const struct env env = base_env_system();
	struct world w = {.env = &env, .who = {life_who("r", "a"), life_who("r", "b")}};

	(void)state;
	assert_true(torture_run("a life", live, &w, 1) > 10);
	assert_int_equal(torture_run("a queue", queue, NULL, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
