#include "agent/senders_world.h"

static uint64_t misses(struct world *w)
{
	return agent_senders_stats(w->senders).windows.misses;
}

static void use(struct world *w)
{
	const struct secret *k = NULL;
	struct envelope_header h = {.type = STR("x")};

	finds(w, "billing");
	assert_ok("window", agent_senders_window(w->senders, w->to, &h, &k, err));
	assert_int_equal(h.recipient_count, 1);
}

static void on_told(void *ctx)
{
	++*(unsigned *)ctx;
}

static void the_first_message_waits_for_the_watch(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	waits(&w, "billing");
	assert_string_equal(api.informers[0].ns, "shop");
	assert_string_equal(api.informers[0].selector,
		"functionkey.dev/role=leader,functionkey.dev/function=billing");
	arrive(&api.informers[0], &w.sample.fk);
	turn(&w);
	assert_int_equal(w.again, 1);
	finds(&w, "billing");
	assert_int_equal(api.started, 1);
	world_end(&w);
}

static void waiting_ends(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	waits(&w, "billing");
	for (int i = 0; i < 5; i++)
		second(&w);
	turn(&w);
	assert_int_equal(w.again, 1);
	fails(&w, "billing", ERR_NOT_READY);
	assert_int_equal(agent_problem_of(&w.why), AGENT_PROBLEM_NOT_READY);
	/* Who may not read is told at once, and what to do. */
	const struct err denied = {.class = ERR_DENIED, .msg = "forbidden"};
	w.waiter.until_ns = 0;
	api.informers[0].handler.trouble(api.informers[0].ctx, &denied);
	fails(&w, "billing", ERR_NOT_READY);
	assert_non_null(strstr(w.why.msg, "functionkey.dev/senders"));
	assert_int_equal(w.why.retry_after, 30);
	world_end(&w);
}

static void waiters_are_bounded_and_may_leave(void **state)
{
	static struct agent_senders_waiter waiters[AGENT_SENDERS_WAITING_MAX + 1];
	struct world w;

	(void)state;
	world_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
		waiters[i] = (struct agent_senders_waiter){.again = on_again, .ctx = &w};
		assert_int_equal(agent_senders_find(w.senders, STR("shop"), STR("billing"),
					 &waiters[i], &w.to, &w.why),
			i < AGENT_SENDERS_WAITING_MAX ? AGENT_SENDERS_WAIT : -(int)ERR_NOT_READY);
	}
	for (size_t i = 0; i < ARRAY_LEN(waiters); i++)
		agent_senders_cancel(w.senders, &waiters[i]);
	assert_int_equal(agent_senders_stats(w.senders).waiting, 0);
	arrive(&api.informers[0], &w.sample.fk);
	turn(&w);
	assert_int_equal(w.again, 0);
	world_end(&w);
}

static void nobody_knows_that_function(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	waits(&w, "nobody");
	arrive(&api.informers[0], NULL);
	turn(&w);
	fails(&w, "nobody", ERR_NOT_FOUND);
	assert_int_equal(agent_senders_stats(w.senders).functions, 0);
	static const char *const bad[] = {"", "a b", "-a", "a-", "a,b=c", "a/b", "ä"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		fails(&w, bad[i], ERR_INVALID);
		assert_int_equal(agent_problem_of(&w.why), AGENT_PROBLEM_MALFORMED);
	}
	assert_int_equal(find(&w, "A", "b"), -(int)ERR_INVALID);
	world_end(&w);
}

static void whoever_shows_recipients_is_told(void **state)
{
	struct agent_sender_row row;
	struct world w;
	unsigned told = 0;
	size_t at = 0;

	(void)state;
	world_begin(&w);
	agent_senders_tell(w.senders, on_told, &told);
	waits(&w, "billing");
	assert_int_equal(told, 0);
	arrive(&api.informers[0], &w.sample.fk);
	turn(&w);
	finds(&w, "billing");
	assert_int_equal(told, 1);
	finds(&w, "billing");
	assert_int_equal(told, 1);
	/* A change is told; who asks for the recipients then does not have to wait for a message,
	 * and does not keep the function in use. */
	api.informers[0].handler.on(
		api.informers[0].ctx, KUBE_MODIFIED, &w.sample.fk, &w.sample.fk);
	assert_int_equal(told, 2);
	w.clock.boot_ns += 60 * NS_PER_S;
	assert_true(agent_senders_next(w.senders, &at, &row));
	assert_null(row.to);
	agent_senders_choose(w.senders, &row);
	assert_non_null(row.to);
	assert_int_equal(row.to->n, 1);
	at = 0;
	assert_true(agent_senders_next(w.senders, &at, &row));
	assert_int_equal(w.clock.boot_ns - row.used_ns, 60 * NS_PER_S);
	assert_int_equal(told, 2);
	/* Without a record there is nothing to choose. */
	api.informers[0].n = 0;
	api.informers[0].handler.on(api.informers[0].ctx, KUBE_DELETED, &w.sample.fk, NULL);
	assert_int_equal(told, 3);
	at = 0;
	assert_true(agent_senders_next(w.senders, &at, &row));
	agent_senders_choose(w.senders, &row);
	assert_null(row.to);
	agent_senders_tell(w.senders, NULL, NULL);
	world_end(&w);
	assert_int_equal(told, 3);
}

static void windows_end_with_changes_and_with_the_watch(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	waits(&w, "billing");
	struct kube_informer *f = &api.informers[0];
	arrive(f, &w.sample.fk);
	turn(&w);
	use(&w);
	use(&w);
	assert_int_equal(misses(&w), 1);
	f->handler.on(f->ctx, KUBE_MODIFIED, &w.sample.fk, &w.sample.fk);
	use(&w);
	assert_int_equal(misses(&w), 2);
	/* A watch that is lost for long ends windows; what is known is still used. */
	f->state = KUBE_WATCH_RETRYING;
	for (int i = 0; i < 4; i++)
		second(&w);
	use(&w);
	assert_int_equal(misses(&w), 2);
	for (int i = 0; i < 4; i++)
		second(&w);
	use(&w);
	assert_int_equal(misses(&w), 3);
	f->state = KUBE_WATCH_WATCHING;
	second(&w);
	use(&w);
	second(&w);
	use(&w);
	assert_int_equal(misses(&w), 3);
	/* A new epoch is taken up at once, and only with a link to the one before; nothing more is
	 * sealed to one that is revoked, also not in a window. */
	w.sample.keys[0].state = CRDS_REVOKED;
	(void)sample_key(&w.sample, 2, 1, CRDS_ACTIVE);
	f->handler.on(f->ctx, KUBE_MODIFIED, &w.sample.fk, &w.sample.fk);
	finds(&w, "billing");
	assert_int_equal(w.to->epoch, 2);
	use(&w);
	assert_int_equal(misses(&w), 4);
	(void)sample_key(&w.sample, 3, 0, CRDS_ACTIVE);
	f->handler.on(f->ctx, KUBE_MODIFIED, &w.sample.fk, &w.sample.fk);
	fails(&w, "billing", ERR_TAMPERED);
	assert_int_equal(agent_senders_stats(w.senders).doubts[AGENT_DOUBT_CONTINUITY], 1);
	world_end(&w);
}

static void many_functions_share_one_watch(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	asked_for(&w, "shop", "a");
	asked_for(&w, "shop", "billing");
	arrive(&api.informers[1], &w.sample.fk);
	use(&w);
	asked_for(&w, "shop", "c");
	assert_string_equal(api.informers[2].selector, "functionkey.dev/role=leader");
	asked_for(&w, "shop", "d");
	assert_int_equal(api.started, 3);
	use(&w); /* by its own watch still */
	arrive(&api.informers[2], &w.sample.fk);
	second(&w);
	assert_int_equal(api.freed, 2);
	use(&w);
	assert_int_equal(agent_senders_stats(w.senders).watches, 1);
	world_end(&w);
}

static void what_is_idle_is_forgotten_but_for_its_pins(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	asked_for(&w, "shop", "billing");
	arrive(&api.informers[0], &w.sample.fk);
	use(&w);
	w.clock.boot_ns += AGENT_SENDERS_IDLE_NS;
	second(&w);
	const struct agent_senders_stats s = agent_senders_stats(w.senders);
	assert_int_equal(s.functions, 0);
	assert_int_equal(s.watches, 0);
	assert_int_equal(s.windows.live, 0);
	assert_int_equal(s.pins, 1);
	assert_false(w.senders->ticking);
	world_end(&w);
}

static void namespaces_are_bounded(void **state)
{
	struct world w;
	char ns[16];

	(void)state;
	world_begin(&w);
	for (unsigned i = 0; i < AGENT_SENDERS_WATCHES_MAX; i++) {
		(void)snprintf(ns, sizeof(ns), "ns-%u", i);
		asked_for(&w, ns, "f");
	}
	assert_int_equal(find(&w, "more", "f"), -(int)ERR_NOT_READY);
	w.clock.boot_ns += 20 * NS_PER_S;
	w.waiter.until_ns = 0;
	assert_int_equal(find(&w, "more", "f"), AGENT_SENDERS_WAIT);
	assert_int_equal(agent_senders_stats(w.senders).watches, AGENT_SENDERS_WATCHES_MAX);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_message_waits_for_the_watch),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(waiters_are_bounded_and_may_leave),
		cmocka_unit_test(nobody_knows_that_function),
		cmocka_unit_test(whoever_shows_recipients_is_told),
		cmocka_unit_test(windows_end_with_changes_and_with_the_watch),
		cmocka_unit_test(many_functions_share_one_watch),
		cmocka_unit_test(what_is_idle_is_forgotten_but_for_its_pins),
		cmocka_unit_test(namespaces_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
