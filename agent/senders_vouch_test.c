/* Who vouches for senders: watches that those who send to us choose. */
#include "agent/report.h"
#include "agent/senders_world.h"

/* A certificate by the sample's leader, of any function. */
static struct envelope_sender_cert certificate(
	struct world *w, const char *ns, const char *function)
{
	struct envelope_sender_cert cert = {.cluster = w->sample.fk.uid,
		.ns = base_str(ns),
		.function = base_str(function),
		.revision = STR("billing-1"),
		.pod = STR("billing-1-x"),
		.uid = {0x3f}};

	memcpy(cert.issuer.b, w->sample.life.keys.identity.b, sizeof(cert.issuer.b));
	return cert;
}

static int vouch(
	struct world *w, const struct envelope_sender_cert *cert, enum agent_vouched *ret_vouched)
{
	return agent_senders_vouch(w->senders, cert, &w->waiter, ret_vouched, &w->why);
}

/* Without waiting. */
static void vouches(const char *name, struct world *w, const struct envelope_sender_cert *cert,
	enum agent_vouched want)
{
	enum agent_vouched vouched = AGENT_VOUCH_COUNT;

	w->waiter.until_ns = 0;
	if (vouch(w, cert, &vouched) != 0 || vouched != want)
		fail_msg("%s: %s, wanted %s", name, agent_vouched_names[vouched],
			agent_vouched_names[want]);
}

static void waits_for(struct world *w, const struct envelope_sender_cert *cert)
{
	enum agent_vouched unused;

	assert_int_equal(vouch(w, cert, &unused), AGENT_SENDERS_WAIT);
}

static void test_records_are_waited_for(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	const struct envelope_sender_cert good = certificate(&w, "shop", "billing");
	waits_for(&w, &good);
	arrive(&api.informers[0], &w.sample.fk);
	turn(&w);
	assert_int_equal(w.again, 1);
	vouches("there", &w, &good, AGENT_VOUCHED);
	struct envelope_sender_cert other = good;
	other.revision = STR("billing-2");
	vouches("another revision", &w, &other, AGENT_VOUCH_UNKNOWN);
	other = good;
	other.issuer.b[7] ^= 1;
	vouches("another issuer", &w, &other, AGENT_VOUCH_ISSUER);
	assert_int_equal(api.started, 1);
	world_end(&w);
}

static void test_nobody_waits_long(void **state)
{
	enum agent_vouched vouched = AGENT_VOUCHED;
	struct world w;

	(void)state;
	world_begin(&w);
	const struct envelope_sender_cert cert = certificate(&w, "shop", "billing");
	waits_for(&w, &cert);
	second(&w);
	turn(&w);
	assert_int_equal(w.again, 1);
	assert_int_equal(vouch(&w, &cert, &vouched), 0);
	assert_int_equal(vouched, AGENT_VOUCH_NO_ANSWER);
	/* The next ones not at all, for a while. */
	for (int i = 0; i < 9; i++) {
		vouches("at once", &w, &cert, AGENT_VOUCH_NO_ANSWER);
		second(&w);
	}
	second(&w);
	w.waiter.until_ns = 0;
	waits_for(&w, &cert);
	arrive(&api.informers[0], &w.sample.fk);
	turn(&w);
	vouches("in the end", &w, &cert, AGENT_VOUCHED);
	world_end(&w);
}

static void test_what_may_not_be_read(void **state)
{
	const struct err denied = {.class = ERR_DENIED};
	struct world w;

	(void)state;
	world_begin(&w);
	const struct envelope_sender_cert cert = certificate(&w, "closed", "billing");
	waits_for(&w, &cert);
	api.informers[0].handler.trouble(api.informers[0].ctx, &denied);
	turn(&w);
	vouches("denied", &w, &cert, AGENT_VOUCH_UNREADABLE);
	world_end(&w);
}

/* They get into the paths and selectors of requests. */
static void test_names_that_are_none(void **state)
{
	static const char *const rows[][2] = {{"..", "f"}, {"a.b", "f"}, {"Shop", "f"},
		{"shop", ".."}, {"shop", "-f"}, {"shop", "f,a"}, {"", "f"}, {"shop", ""}};
	struct world w;

	(void)state;
	world_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct envelope_sender_cert cert = certificate(&w, rows[i][0], rows[i][1]);
		vouches(rows[i][0], &w, &cert, AGENT_VOUCH_UNKNOWN);
	}
	assert_int_equal(api.started, 0);
	world_end(&w);
}

/* Whoever sends chooses them: they take no place from those to whom we send. */
static void test_vouchers_are_bounded(void **state)
{
	char ns[32];
	struct world w;

	(void)state;
	world_begin(&w);
	for (int i = 0; i < AGENT_SENDERS_VOUCHERS_MAX + 5; i++) {
		(void)snprintf(ns, sizeof(ns), "ns-%d", i);
		const struct envelope_sender_cert cert = certificate(&w, ns, "f");
		if (i < AGENT_SENDERS_VOUCHERS_MAX) {
			waits_for(&w, &cert);
			agent_senders_cancel(w.senders, &w.waiter);
			w.waiter.until_ns = 0;
		} else {
			vouches("no place", &w, &cert, AGENT_VOUCH_NO_ANSWER);
		}
	}
	assert_int_equal(api.started, AGENT_SENDERS_VOUCHERS_MAX);
	/* We send where we like, and what we send to is no voucher. */
	asked_for(&w, "ns-0", "f");
	asked_for(&w, "elsewhere", "f");
	w.waiter.until_ns = 0;
	const struct envelope_sender_cert one_more = certificate(&w, "ns-more", "f");
	waits_for(&w, &one_more);
	agent_senders_cancel(w.senders, &w.waiter);
	assert_int_equal(api.started, AGENT_SENDERS_VOUCHERS_MAX + 2);
	/* The one that was not used for longest makes room after ten seconds. */
	w.clock.boot_ns += 11 * NS_PER_S;
	w.waiter.until_ns = 0;
	const struct envelope_sender_cert late = certificate(&w, "ns-late", "f");
	waits_for(&w, &late);
	agent_senders_cancel(w.senders, &w.waiter);
	assert_int_equal(api.freed, 1);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_are_waited_for),
		cmocka_unit_test(test_nobody_waits_long),
		cmocka_unit_test(test_what_may_not_be_read),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_vouchers_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
