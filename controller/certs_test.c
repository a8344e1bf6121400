#include "pkg/base/test.h"

#include "controller/certs.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY (24 * 3600 * NS_PER_S)

/* A Secret, and the API servers that were told of its authorities at some time. */
struct story {
	struct env_fake fake;
	struct env env;
	struct buf texts[CONTROLLER_CERTS_TEXTS];
	struct buf trusted; /* what API servers trust */
	int64_t ca_life_ns, serving_life_ns;
	unsigned steps;
};

static void story_begin(struct story *s, int64_t ca_life_ns, int64_t serving_life_ns)
{
	*s = (struct story){.fake = {.wall_ns = 1800000000LL * NS_PER_S, .seed = 7},
		.trusted = base_buf(1 << 20),
		.ca_life_ns = ca_life_ns,
		.serving_life_ns = serving_life_ns};
	s->env = base_env_fake(&s->fake);
	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++)
		s->texts[i] = base_buf(CONTROLLER_CERTS_PEM_MAX);
}

static void story_end(struct story *s)
{
	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++)
		base_buf_done(&s->texts[i]);
	base_buf_done(&s->trusted);
}

static struct controller_certs_view view_of(const struct story *s, bool published)
{
	struct controller_certs_view v = {
		.names = {STR("functionkey-webhook"),
			STR("functionkey-webhook.functionkey-system.svc"), STR("10.1.2.3")},
		.names_len = 3,
		.ca_life_ns = s->ca_life_ns,
		.serving_life_ns = s->serving_life_ns,
		.published = published};

	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++)
		v.have[i] = base_buf_str(&s->texts[i]);
	return v;
}

static X509_STORE *store_of(struct str bundle)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(bundle.p, (int)bundle.n);
	X509 *ca = NULL;

	while ((ca = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		assert_int_equal(X509_STORE_add_cert(store, ca), 1);
		X509_free(ca);
	}
	BIO_free(bio);
	return store;
}

/* As the API server does it: by the bundle that it has, for the name that it calls. */
static bool is_trusted(const struct story *s, struct str bundle, const char *name)
{
	X509_STORE *store = store_of(bundle);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	BIO *bio = BIO_new_mem_buf(
		s->texts[CONTROLLER_SERVING].data, (int)s->texts[CONTROLLER_SERVING].len);
	X509 *serving = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(serving);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, serving, NULL), 1);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(s->fake.wall_ns / NS_PER_S));
	(void)X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	const bool good = X509_verify_cert(ctx) == 1 &&
			  X509_check_host(serving, name, 0, 0, NULL) == 1 &&
			  X509_check_ip_asc(serving, "10.1.2.3", 0) == 1;
	X509_free(serving);
	BIO_free(bio);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return good;
}

/* One step; what it says is written. Returns why, NULL if nothing was due. */
static const char *step(struct story *s, bool published, int64_t *ret_wake)
{
	const struct controller_certs_view v = view_of(s, published);
	struct controller_certs_plan plan;

	assert_ok("step", controller_certs_step(&v, &s->env, &plan, err));
	if (ret_wake)
		*ret_wake = plan.wake_ns;
	const char *why = plan.why;
	for (size_t i = 0; why && i < CONTROLLER_CERTS_TEXTS; i++) {
		const struct buf old = s->texts[i];
		s->texts[i] = plan.texts[i];
		plan.texts[i] = old;
	}
	controller_certs_plan_done(&plan);
	s->steps += why != NULL;
	return why;
}

static void publish(struct story *s)
{
	struct str have[CONTROLLER_CERTS_TEXTS];

	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++)
		have[i] = base_buf_str(&s->texts[i]);
	base_buf_clear(&s->trusted);
	assert_ok("bundle", controller_certs_bundle(have, &s->trusted, err));
}

#define SERVICE "functionkey-webhook.functionkey-system.svc"

static void test_begins(void **state)
{
	struct story s;
	int64_t wake = 0;
	(void)state;

	story_begin(&s, 1826 * DAY, 90 * DAY);
	assert_string_equal(step(&s, false, NULL), "made a certificate authority");
	publish(&s);
	assert_true(is_trusted(&s, base_buf_str(&s.trusted), SERVICE));
	assert_false(is_trusted(&s, base_buf_str(&s.trusted), "kubernetes.default.svc"));
	assert_null(step(&s, true, &wake));
	assert_true(wake > s.fake.wall_ns + 55 * DAY && wake < s.fake.wall_ns + 61 * DAY);
	assert_int_equal(controller_certs_not_after(base_buf_str(&s.texts[CONTROLLER_SERVING])),
		s.fake.wall_ns + 90 * DAY);
	assert_int_equal(controller_certs_not_after(STR("x")), 0);
	story_end(&s);
}

/* Years of it, looked at every week: at no time do API servers meet a certificate that they do not
 * trust, neither with the bundle of now nor with the one from before the last write. */
static void test_years(void **state)
{
	_cleanup_(base_buf_done) struct buf before = base_buf(1 << 20);
	unsigned authorities = 0;
	struct story s;
	(void)state;

	story_begin(&s, 365 * DAY, 90 * DAY);
	(void)step(&s, false, NULL);
	publish(&s);
	for (int week = 0; week < 4 * 52; week++, s.fake.wall_ns += 7 * DAY) {
		base_buf_clear(&before);
		assert_ok("copy", base_buf_add_str(&before, base_buf_str(&s.trusted), err));
		const char *why = step(&s, true, NULL);
		assert_true(is_trusted(&s, base_buf_str(&before), SERVICE));
		publish(&s);
		assert_true(is_trusted(&s, base_buf_str(&s.trusted), SERVICE));
		authorities += why && strstr(why, "signed with the next") != NULL;
	}
	assert_int_equal(authorities, 5); /* each signs for two thirds of its year */
	assert_true(s.steps > 5 * 4);
	story_end(&s);
}

/* The next authority does not sign before API servers were told of it, however late that is. */
static void test_waits_for_publication(void **state)
{
	struct story s;
	(void)state;

	story_begin(&s, 365 * DAY, 90 * DAY);
	(void)step(&s, false, NULL);
	s.fake.wall_ns += 250 * DAY;
	assert_string_equal(step(&s, true, NULL), "renewed the serving certificate");
	assert_string_equal(step(&s, true, NULL), "announced the next certificate authority");
	assert_null(step(&s, true, NULL));
	s.fake.wall_ns += 3600 * NS_PER_S;
	assert_null(step(&s, false, NULL));
	assert_string_equal(step(&s, true, NULL), "signed with the next certificate authority");
	assert_int_equal(s.texts[CONTROLLER_OTHER_KEY].len, 0); /* the old one cannot sign again */
	assert_true(s.texts[CONTROLLER_OTHER].len > 0);
	assert_null(step(&s, true, NULL));
	s.fake.wall_ns += 3600 * NS_PER_S;
	assert_string_equal(step(&s, true, NULL), "dropped the old certificate authority");
	assert_null(step(&s, true, NULL));
	story_end(&s);
}

/* What is spoiled is made again; what is good stays. */
static void test_spoiled(void **state)
{
	static const struct {
		const char *name;
		enum controller_certs_text text;
		struct str with;
		const char *why;
	} rows[] = {
		{"no serving certificate", CONTROLLER_SERVING, STR(""),
			"renewed the serving certificate"},
		{"no serving key", CONTROLLER_SERVING_KEY, STR(""),
			"renewed the serving certificate"},
		{"garbage for a key", CONTROLLER_SERVING_KEY,
			STR("-----BEGIN PRIVATE KEY-----\nAAAA\n"),
			"renewed the serving certificate"},
		{"no authority", CONTROLLER_CA, STR(""), "made a certificate authority"},
		{"no key of the authority", CONTROLLER_CA_KEY, STR("x"),
			"made a certificate authority"},
		{"garbage beside the authority", CONTROLLER_OTHER, STR("x"),
			"dropped what was no certificate authority"},
		{"a key without authority", CONTROLLER_OTHER_KEY, STR("x"),
			"dropped what was no certificate authority"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct story s;
		story_begin(&s, 365 * DAY, 90 * DAY);
		(void)step(&s, false, NULL);
		base_buf_clear(&s.texts[rows[i].text]);
		assert_ok(
			rows[i].name, base_buf_add_str(&s.texts[rows[i].text], rows[i].with, err));
		const char *why = step(&s, true, NULL);
		if (!why || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: %s", rows[i].name, why ? why : "nothing");
		publish(&s);
		assert_true(is_trusted(&s, base_buf_str(&s.trusted), SERVICE));
		assert_null(step(&s, true, NULL));
		story_end(&s);
	}
}

/* Another name to serve as, a serving certificate of another authority, an authority that ended
 * while nobody looked. */
static void test_changes(void **state)
{
	struct story s;
	struct story other;
	struct controller_certs_plan plan;
	(void)state;

	story_begin(&s, 365 * DAY, 90 * DAY);
	(void)step(&s, false, NULL);
	struct controller_certs_view v = view_of(&s, true);
	v.names[v.names_len++] = STR("localhost");
	assert_ok("names", controller_certs_step(&v, &s.env, &plan, err));
	assert_string_equal(plan.why, "renewed the serving certificate");
	controller_certs_plan_done(&plan);

	story_begin(&other, 365 * DAY, 90 * DAY);
	other.fake.seed = 8;
	(void)step(&other, false, NULL);
	v = view_of(&s, true);
	v.have[CONTROLLER_SERVING] = base_buf_str(&other.texts[CONTROLLER_SERVING]);
	v.have[CONTROLLER_SERVING_KEY] = base_buf_str(&other.texts[CONTROLLER_SERVING_KEY]);
	assert_ok("authority", controller_certs_step(&v, &s.env, &plan, err));
	assert_string_equal(plan.why, "renewed the serving certificate");
	controller_certs_plan_done(&plan);
	story_end(&other);

	s.fake.wall_ns += 366 * DAY;
	assert_string_equal(step(&s, true, NULL), "made a certificate authority");
	publish(&s);
	assert_true(is_trusted(&s, base_buf_str(&s.trusted), SERVICE));
	story_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_years),
		cmocka_unit_test(test_waits_for_publication),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
