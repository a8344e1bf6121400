#include "agent/problem.h"
#include "agent/report.h"
#include "agent/sample.h"
#include "agent/signer.h"
#include "pkg/base/text.h"

#define DAY 86400

/* A leader and a member of orders, and what the leader wrote for the member. */
struct world {
	struct env_fake clock;
	struct sample leader;
	struct life member;
	struct agent_core core;
	struct envelope_context *envelope;
	struct agent_signer *signer;
	struct crds_functionkey own;
	struct kmsg_certify_reply given;
	struct buf text;
};

static struct kmsg_certify_reply certify(struct world *w, const struct life *of, int64_t exp)
{
	struct kmsg_request r = life_certify_request(of, 1);

	life_name(&r.certify.cluster, "11111111-1111-1111-1111-111111111111");
	life_name(&r.certify.function, "billing");
	r.certify.exp = exp;
	return life_get(&w->leader.life, r).certify;
}

static void give(struct world *w, const struct kmsg_certify_reply *reply)
{
	base_buf_clear(&w->text);
	assert_ok(
		"text", base_base64_add(&w->text, reply->certificate, reply->certificate_len, err));
	w->own.has_certificate = true;
	w->own.certificate.text = base_buf_str(&w->text);
}

static void world_begin(struct world *w)
{
	*w = (struct world){.clock = {.wall_ns = 1700000000 * NS_PER_S, .seed = 3},
		.text = base_buf(CRDS_CERT_MAX)};
	sample_begin(&w->leader, 1, "billing-1");
	life_begin(&w->member, 2, "billing-1", "b");
	w->core = (struct agent_core){.env = base_env_fake(&w->clock),
		.self = {.ns = STR("shop"),
			.revision = STR("billing-1"),
			.function = STR("billing"),
			.pod = STR("b")}};
	memcpy(w->own.identity.b, w->member.keys.identity.b, 33);
	assert_ok("envelope", envelope_context_new(&w->core.env, &w->envelope, err));
	assert_ok("signer", agent_signer_new(&w->core, w->envelope, &w->signer, err));
	w->given = certify(w, &w->member, 1700000000 + DAY);
	give(w, &w->given);
}

static void world_end(struct world *w)
{
	agent_signer_free(w->signer);
	envelope_context_free(w->envelope);
	base_buf_done(&w->text);
	life_done(&w->member);
	sample_done(&w->leader);
}

static int choose(struct world *w, struct str made, struct agent_bearer *ret, struct err *err)
{
	const struct agent_signer_view v = {.leader = &w->leader.fk, .own = &w->own, .made = made};

	return agent_signer_choose(w->signer, &v, ret, err);
}

static void test_a_good_certificate_is_found(void **state)
{
	struct agent_bearer bearer;
	struct world w;

	(void)state;
	world_begin(&w);
	for (int i = 0; i < 2; i++) {
		assert_ok("good", choose(&w, STR_NULL, &bearer, err));
		assert_true(base_str_eq(
			bearer.cert, base_str_n(w.given.certificate, w.given.certificate_len)));
		assert_int_equal(bearer.exp, 1700000000 + DAY);
		assert_int_equal(bearer.epoch, 1);
		assert_int_equal(bearer.term, 1);
	}
	/* The next one takes its place at once. */
	const struct kmsg_certify_reply next = certify(&w, &w.member, 1700000000 + DAY + 60);
	give(&w, &next);
	assert_ok("next", choose(&w, STR_NULL, &bearer, err));
	assert_int_equal(bearer.exp, 1700000000 + DAY + 60);
	world_end(&w);
}

static void test_the_one_that_lasts_is_chosen(void **state)
{
	struct agent_bearer bearer;
	struct world w;

	(void)state;
	world_begin(&w);
	/* A replica that leads has one of its own making. */
	const struct kmsg_certify_reply longer = certify(&w, &w.member, 1700000000 + DAY + 5);
	const struct str made = base_str_n(longer.certificate, longer.certificate_len);
	assert_ok("longer", choose(&w, made, &bearer, err));
	assert_int_equal(bearer.exp, 1700000000 + DAY + 5);
	w.own.has_certificate = false;
	assert_ok("alone", choose(&w, made, &bearer, err));
	assert_class("none", ERR_NOT_READY, choose(&w, STR_NULL, &bearer, err));
	world_end(&w);
}

static void other_pod(struct world *w)
{
	w->core.self.pod = STR("c");
}

static void other_namespace(struct world *w)
{
	w->core.self.ns = STR("shop2");
}

static void other_revision(struct world *w)
{
	w->core.self.revision = STR("billing-2");
}

static void other_function(struct world *w)
{
	w->leader.fk.function = STR("orders");
}

static void other_keeper(struct world *w)
{
	w->own.identity.b[5] ^= 1;
}

static void other_record(struct world *w)
{
	w->leader.fk.uid = STR("22222222-2222-2222-2222-222222222222");
}

static void other_leader(struct world *w)
{
	w->leader.fk.leader.identity.b[5] ^= 1;
	w->leader.keys[0].identity.b[5] ^= 1;
}

static void time_is_over(struct world *w)
{
	w->clock.wall_ns += DAY * NS_PER_S;
}

static void time_is_to_come(struct world *w)
{
	w->clock.wall_ns -= (ENVELOPE_SENDER_SKEW_S + 1) * NS_PER_S;
}

static void no_base64(struct world *w)
{
	w->own.certificate.text = STR("!");
}

static void no_certificate(struct world *w)
{
	w->own.certificate.text = STR("Y2VydA==");
}

static void too_long(struct world *w)
{
	static char text[CRDS_CERT_MAX + 4];

	memset(text, 'A', sizeof(text));
	w->own.certificate.text = base_str_n(text, sizeof(text));
}

static void test_what_receivers_would_not_take(void **state)
{
	static const struct {
		const char *name;
		void (*set)(struct world *w);
	} rows[] = {{"another pod", other_pod}, {"another namespace", other_namespace},
		{"another revision", other_revision}, {"another function", other_function},
		{"an earlier keeper", other_keeper}, {"another record", other_record},
		{"a leader that is forgotten", other_leader}, {"expired", time_is_over},
		{"not good yet", time_is_to_come}, {"no base64", no_base64},
		{"no certificate", no_certificate}, {"too long", too_long}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_bearer bearer;
		struct err err = {0};
		struct world w;
		world_begin(&w);
		rows[i].set(&w);
		if (choose(&w, STR_NULL, &bearer, &err) == 0 ||
			agent_problem_of(&err) != AGENT_PROBLEM_NOT_READY)
			fail_msg("%s: %s", rows[i].name, err.msg);
		world_end(&w);
	}
}

/* What receivers make of it. */
static void test_who_is_vouched_for(void **state)
{
	struct envelope_sender_cert cert;
	struct str revoked;
	char uid[CRDS_UID_LEN + 1];
	struct world w;

	(void)state;
	world_begin(&w);
	struct crds_functionkey *fk = &w.leader.fk;
	assert_ok("parse",
		envelope_sender_cert_parse(
			base_str_n(w.given.certificate, w.given.certificate_len), &cert, err));
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCHED);
	assert_int_equal(agent_vouch_judge(NULL, &cert), AGENT_VOUCH_UNKNOWN);
	/* A leader of before, whose key is listed. */
	fk->leader.identity.b[5] ^= 1;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCHED);
	w.leader.keys[0].identity.b[5] ^= 1;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_ISSUER);
	fk->leader.identity.b[5] ^= 1;
	fk->has_leader = false;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_ISSUER);
	fk->has_leader = true;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCHED);
	agent_uid_text(cert.uid, uid);
	assert_true(base_str_eq(base_str(uid), kmsg_name_str(&w.member.who.pod_uid)));
	revoked = base_str(uid);
	fk->revoked = &revoked;
	fk->revoked_len = 1;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_REVOKED);
	/* A revoked leader could make up pods: nobody whom it vouched for counts. */
	revoked = fk->leader.pod_uid;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_ISSUER);
	/* Nor once the next one leads, when its keys are revoked. */
	fk->leader.identity.b[5] ^= 1;
	fk->leader.pod_uid = STR("33333333-3333-3333-3333-333333333333");
	w.leader.keys[0].identity.b[5] ^= 1;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCHED);
	w.leader.keys[0].state = CRDS_REVOKED;
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_ISSUER);
	revoked = base_str(uid);
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_REVOKED);
	fk->uid = STR("22222222-2222-2222-2222-222222222222");
	assert_int_equal(agent_vouch_judge(fk, &cert), AGENT_VOUCH_UNKNOWN);
	world_end(&w);
}

/* -- what the function is told -- */

struct told {
	char text[512];
};

static int tell(void *ctx, const char *name, struct str value, struct err *err)
{
	struct told *t = ctx;
	const size_t n = strlen(t->text);

	(void)err;
	(void)snprintf(t->text + n, sizeof(t->text) - n, "%s=%.*s\n",
		name + strlen("Functionkey-Sender"), STR_FMT(value));
	return 0;
}

static void test_a_name_is_told_only_if_verified(void **state)
{
	const struct envelope_sender_cert cert = {.ns = STR("shop"),
		.function = STR("orders"),
		.revision = STR("orders-1"),
		.pod = STR("orders-1-x"),
		.uid = {0x3f, 0x9a}};
	const struct {
		struct agent_sender sender;
		const char *want;
	} rows[] = {
		{{.stated = ENVELOPE_SENDER_NONE}, "-Level=none\n"},
		{{.stated = ENVELOPE_SENDER_MESSAGE,
			 .named = true,
			 .level = ENVELOPE_SENDER_MESSAGE,
			 .cert = cert},
			"-Level=message\n-Verified=true\n=shop/orders\n-Revision=orders-1\n"
			"-Pod=orders-1-x\n-Pod-Uid=3f9a0000-0000-0000-0000-000000000000\n"},
		{{.stated = ENVELOPE_SENDER_MESSAGE,
			 .named = true,
			 .vouched = AGENT_VOUCH_ISSUER,
			 .cert = cert},
			"-Level=none\n-Verified=false\n-Claimed=shop/orders\n-Reason=issuer\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told t = {0};
		const struct agent_report to = {.add = tell, .ctx = &t};
		assert_ok("report", agent_report_sender(&rows[i].sender, &to, err));
		assert_string_equal(t.text, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_certificate_is_found),
		cmocka_unit_test(test_the_one_that_lasts_is_chosen),
		cmocka_unit_test(test_what_receivers_would_not_take),
		cmocka_unit_test(test_who_is_vouched_for),
		cmocka_unit_test(test_a_name_is_told_only_if_verified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
