/* Messages that are signed, and what receivers ask of their senders. */
#include "agent/opening_world.h"
#include "pkg/envelope/signed.h"

#define NOW 1700000100

/* A leader of orders, with a certificate of its own. */
struct sending {
	struct life life;
	struct kmsg_certify_reply certificate;
	uint8_t hash[ENVELOPE_HASH_LEN];
};

static struct str cert_of(const struct sending *s)
{
	return base_str_n(s->certificate.certificate, s->certificate.certificate_len);
}

static void sending_begin(struct world *w, struct sending *s, uint64_t seed)
{
	life_begin(&s->life, seed, "orders-1", "o");
	(void)life_term(&s->life, 1);
	s->certificate = life_get(&s->life, life_certify_request(&s->life, 1)).certify;
	assert_ok("hash", envelope_sender_cert_hash(w->envelope, cert_of(s), s->hash, err));
}

static struct pre_signature sign(struct sending *s, const struct envelope_signing *signing)
{
	struct kmsg_request r = {
		.op = KMSG_SIGN, .sign.message = signing->level == ENVELOPE_SENDER_MESSAGE};
	struct pre_signature signature;

	memcpy(r.sign.bound, signing->bound, sizeof(r.sign.bound));
	memcpy(r.sign.certificate, signing->cert, sizeof(r.sign.certificate));
	memcpy(r.sign.payload, signing->payload, sizeof(r.sign.payload));
	const struct kmsg_signature made = life_get(&s->life, r).sign.signature;
	memcpy(signature.b, made.b, sizeof(signature.b));
	return signature;
}

struct like {
	enum envelope_sender_level level;
	enum envelope_mode mode;
	int64_t iat;            /* 0: now */
	struct sending *signer; /* NULL: who the certificate is for */
};

static bool has_origin(const struct like *like)
{
	return like->level == ENVELOPE_SENDER_ORIGIN || like->mode == ENVELOPE_STREAM;
}

static void seal(struct world *w, struct sending *s, const struct like *like, struct str plaintext)
{
	const struct envelope_target t = target_of(w);
	struct envelope_header h = {.mode = like->mode,
		.sender = like->level,
		.type = STR("text/plain"),
		.has_length = true,
		.length = plaintext.n,
		.recipient_count = 1};
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer sealer = {0};
	struct sending *signer = like->signer ? like->signer : s;
	struct envelope_credentials with = {.cert = cert_of(s)};
	struct envelope_signing signing;
	struct pre_signature origin, message;
	struct secret k;

	base_buf_clear(&w->message);
	assert_ok("k", envelope_secret_new(w->envelope, &k, err));
	assert_ok("wrap", envelope_recipient_wrap(w->core.pre, &t, &k, &h.recipients[0], err));
	assert_ok("fresh", envelope_header_fresh(w->envelope, &h, err));
	h.iat = like->iat ? (uint64_t)like->iat : h.iat;
	h.length += envelope_sender_overhead(&h, with.cert.n);
	if (like->level && has_origin(like)) {
		assert_ok("origin",
			envelope_origin_signing(w->envelope, &h, &k, s->hash, &signing, err));
		origin = sign(signer, &signing);
		with.origin = &origin;
	}
	assert_ok("begin", envelope_signed_sealer_begin(&sealer, w->envelope, &h, &k,
				   like->level ? &with : NULL, &w->message, err));
	assert_ok("add", envelope_signed_sealer_add(&sealer, plaintext, &w->message, err));
	if (like->level == ENVELOPE_SENDER_MESSAGE) {
		assert_ok("signing", envelope_signed_sealer_signing(&sealer, &signing, err));
		message = sign(signer, &signing);
	}
	assert_ok("end", envelope_signed_sealer_end(&sealer,
				 like->level == ENVELOPE_SENDER_MESSAGE ? &message : NULL,
				 &w->message, err));
}

struct scene {
	struct world w;
	struct sending orders;
	struct agent_opening *o;
};

static void scene_begin(struct scene *s)
{
	*s = (struct scene){0};
	world_begin(&s->w);
	s->w.clock.wall_ns = NOW * NS_PER_S;
	sending_begin(&s->w, &s->orders, 5);
}

static void scene_end(struct scene *s)
{
	agent_opening_free(s->o);
	life_done(&s->orders.life);
	world_end(&s->w);
}

static int open_it(struct scene *s, struct err *err)
{
	agent_opening_free(s->o);
	s->o = opening_of(&s->w);
	return open_all(&s->w, s->o, 5000, err);
}

static void open_ok(const char *name, struct scene *s)
{
	assert_ok(name, open_it(s, err));
}

static void open_refused(const char *name, struct scene *s, enum agent_problem want)
{
	struct err err = {0};
	const int r = open_it(s, &err);

	if (r >= 0 || agent_problem_of(&err) != want)
		fail_msg("%s: %s", name, r < 0 ? err.msg : "opened");
}

static struct str some_text(void)
{
	static char text[200000];

	memset(text, 'x', sizeof(text));
	return base_str_n(text, sizeof(text));
}

static void test_levels(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int level = 0; level < ENVELOPE_SENDER_COUNT; level++)
		for (int mode = ENVELOPE_WHOLE; mode <= ENVELOPE_STREAM; mode++)
			for (int vouched = 0; vouched < AGENT_VOUCH_COUNT; vouched++) {
				const struct like like = {
					.level = (enum envelope_sender_level)level,
					.mode = (enum envelope_mode)mode};
				const bool good = level && vouched == AGENT_VOUCHED;
				s.w.vouched = (enum agent_vouched)vouched;
				seal(&s.w, &s.orders, &like, some_text());
				open_ok("opens", &s);
				const struct agent_sender *sender = agent_opening_sender(s.o);
				assert_int_equal(s.w.out.len, some_text().n);
				assert_int_equal(sender->stated, level);
				assert_int_equal(sender->named, level != 0);
				assert_int_equal(sender->level, good ? level : 0);
				if (level)
					assert_true(base_str_eq(sender->cert.pod, STR("o")));
			}
	const struct agent_openings_stats stats = agent_openings_stats(s.w.openings);
	assert_int_equal(
		stats.senders[ENVELOPE_SENDER_NONE][AGENT_SENDER_UNNAMED], 2 * AGENT_VOUCH_COUNT);
	assert_int_equal(stats.senders[ENVELOPE_SENDER_MESSAGE][AGENT_VOUCH_ISSUER], 2);
	scene_end(&s);
}

static void test_signatures_of_others(void **state)
{
	static const struct {
		const char *name;
		enum envelope_sender_level level;
		enum envelope_mode mode;
	} rows[] = {
		{"origin", ENVELOPE_SENDER_ORIGIN, ENVELOPE_WHOLE},
		{"origin of a stream", ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM},
		{"message", ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE},
		{"message, a stream", ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM},
	};
	struct sending other = {0};
	struct scene s;

	(void)state;
	scene_begin(&s);
	sending_begin(&s.w, &other, 6);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct like like = {
			.level = rows[i].level, .mode = rows[i].mode, .signer = &other};
		seal(&s.w, &s.orders, &like, some_text());
		open_refused(rows[i].name, &s, AGENT_PROBLEM_TAMPERED);
		assert_int_equal(s.w.out.len, 0);
	}
	life_done(&other.life);
	scene_end(&s);
}

/* Byte by byte: no certificate but the one that was made is taken. */
static void test_forged_certificates(void **state)
{
	const struct like like = {.level = ENVELOPE_SENDER_MESSAGE};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t at = 0; at < s.orders.certificate.certificate_len; at += 5) {
		struct sending forged = s.orders;
		struct envelope_sender_cert parsed;
		struct err why = {0};
		forged.certificate.certificate[at] ^= 1;
		/* Who bends his certificate signs for what he bent. */
		assert_ok("hash", envelope_sender_cert_hash(
					  s.w.envelope, cert_of(&forged), forged.hash, err));
		if (envelope_sender_cert_parse(cert_of(&forged), &parsed, NULL) < 0)
			continue;
		seal(&s.w, &forged, &like, STR("hello"));
		if (open_it(&s, &why) >= 0 || s.w.out.len)
			fail_msg("byte %zu is not looked at", at);
	}
	scene_end(&s);
}

static void test_times_of_certificates(void **state)
{
	static const struct {
		const char *name;
		int64_t iat;
		bool good;
	} rows[] = {
		{"its first second", 1700000000, true},
		{"long before", 1700000000 - 3600, false},
		{"its last second", 1700086400, true},
		{"long after", 1700086400 + 3600, false},
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	/* In a queue for a month: what counts is when it was made. */
	s.w.clock.wall_ns = (NOW + 30 * 86400LL) * NS_PER_S;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct like like = {.level = ENVELOPE_SENDER_MESSAGE, .iat = rows[i].iat};
		struct err err = {0};
		seal(&s.w, &s.orders, &like, STR("hello"));
		if ((open_it(&s, &err) == 0) != rows[i].good)
			fail_msg("%s: %s", rows[i].name, err.msg);
	}
	scene_end(&s);
}

static void test_what_is_required(void **state)
{
	static const struct {
		const char *name;
		enum envelope_sender_level require, level;
		enum agent_vouched vouched;
		enum agent_problem want;
	} rows[] = {
		{"nothing of nobody", ENVELOPE_SENDER_NONE, ENVELOPE_SENDER_NONE, AGENT_VOUCHED,
			AGENT_PROBLEM_NONE},
		{"nothing of who is unknown", ENVELOPE_SENDER_NONE, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_UNKNOWN, AGENT_PROBLEM_NONE},
		{"origin of nobody", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_NONE, AGENT_VOUCHED,
			AGENT_PROBLEM_SENDER_REQUIRED},
		{"origin of origin", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_ORIGIN, AGENT_VOUCHED,
			AGENT_PROBLEM_NONE},
		{"origin of message", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCHED, AGENT_PROBLEM_NONE},
		{"message of origin", ENVELOPE_SENDER_MESSAGE, ENVELOPE_SENDER_ORIGIN,
			AGENT_VOUCHED, AGENT_PROBLEM_SENDER_REQUIRED},
		{"message of message", ENVELOPE_SENDER_MESSAGE, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCHED, AGENT_PROBLEM_NONE},
		{"of a namespace that is not read", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_UNREADABLE, AGENT_PROBLEM_SENDER_REQUIRED},
		{"of a function that there is not", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_UNKNOWN, AGENT_PROBLEM_SENDER_REQUIRED},
		{"of a leader that it has not", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_ISSUER, AGENT_PROBLEM_SENDER_REQUIRED},
		{"of a pod that was revoked", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_REVOKED, AGENT_PROBLEM_SENDER_REQUIRED},
		{"that cannot be told now", ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_NO_ANSWER, AGENT_PROBLEM_NOT_READY},
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		const size_t at = i / 2;
		const struct like like = {
			.level = rows[at].level, .mode = i % 2 ? ENVELOPE_STREAM : ENVELOPE_WHOLE};
		s.o = agent_opening_free(s.o);
		world_asks(&s.w, &(struct agent_opening_policy){.require = rows[at].require});
		s.w.vouched = rows[at].vouched;
		seal(&s.w, &s.orders, &like, STR("hello"));
		if (rows[at].want == AGENT_PROBLEM_NONE)
			open_ok(rows[at].name, &s);
		else
			open_refused(rows[at].name, &s, rows[at].want);
	}
	scene_end(&s);
}

static void test_who_is_allowed(void **state)
{
	static const struct {
		const char *name, *list;
		enum envelope_sender_level level;
		enum agent_vouched vouched;
		enum agent_problem want;
		bool unasked; /* nothing is watched for who is not listed */
	} rows[] = {
		{"all", "", ENVELOPE_SENDER_NONE, AGENT_VOUCHED, AGENT_PROBLEM_NONE, true},
		{"listed", "other/audit, orders", ENVELOPE_SENDER_ORIGIN, AGENT_VOUCHED,
			AGENT_PROBLEM_NONE},
		{"listed with its namespace", "shop/orders", ENVELOPE_SENDER_MESSAGE, AGENT_VOUCHED,
			AGENT_PROBLEM_NONE},
		{"of another namespace", "other/orders", ENVELOPE_SENDER_MESSAGE, AGENT_VOUCHED,
			AGENT_PROBLEM_SENDER_REQUIRED, true},
		{"another function", "order", ENVELOPE_SENDER_MESSAGE, AGENT_VOUCHED,
			AGENT_PROBLEM_SENDER_REQUIRED, true},
		{"unsigned", "orders", ENVELOPE_SENDER_NONE, AGENT_VOUCHED,
			AGENT_PROBLEM_SENDER_REQUIRED, true},
		{"listed, but nobody vouches", "orders", ENVELOPE_SENDER_MESSAGE,
			AGENT_VOUCH_ISSUER, AGENT_PROBLEM_SENDER_REQUIRED},
	};
	struct agent_targets allowed;
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct like like = {.level = rows[i].level};
		s.o = agent_opening_free(s.o);
		assert_ok(rows[i].name,
			agent_targets_parse(base_str(rows[i].list), STR("shop"), &allowed, err));
		world_asks(&s.w, &(struct agent_opening_policy){.allowed = &allowed});
		s.w.vouched = rows[i].vouched;
		s.w.vouch_asked = 0;
		seal(&s.w, &s.orders, &like, STR("hello"));
		if (rows[i].want == AGENT_PROBLEM_NONE)
			open_ok(rows[i].name, &s);
		else
			open_refused(rows[i].name, &s, rows[i].want);
		if (s.w.vouch_asked != (rows[i].unasked ? 0 : 1))
			fail_msg("%s: asked %u times", rows[i].name, s.w.vouch_asked);
	}
	scene_end(&s);
}

/* Records may have to be fetched first: nothing is final before. */
static void test_a_sender_is_waited_for(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int mode = ENVELOPE_WHOLE; mode <= ENVELOPE_STREAM; mode++) {
		const struct like like = {
			.level = ENVELOPE_SENDER_MESSAGE, .mode = (enum envelope_mode)mode};
		seal(&s.w, &s.orders, &like, STR("hello"));
		s.w.vouch_later = true;
		assert_int_equal(open_it(&s, NULL), AGENT_OPENING_WAIT);
		assert_non_null(s.w.waiter);
		const unsigned before = s.w.ready;
		vouch_now(&s.w);
		assert_int_equal(s.w.ready, before + 1);
		assert_ok("resumed", agent_opening_resume(s.o, &s.w.out, err));
		assert_int_equal(agent_opening_sender(s.o)->level, ENVELOPE_SENDER_MESSAGE);
		assert_true(base_str_eq(base_buf_str(&s.w.out), STR("hello")));
		/* Who goes away meanwhile waits no more. */
		s.w.vouch_later = true;
		assert_int_equal(open_it(&s, NULL), AGENT_OPENING_WAIT);
		s.o = agent_opening_free(s.o);
		assert_null(s.w.waiter);
		s.w.vouch_later = false;
	}
	scene_end(&s);
}

static void test_replays(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	world_asks(&s.w, &(struct agent_opening_policy){.replay_s = 300});
	for (int level = 0; level < ENVELOPE_SENDER_COUNT; level++)
		for (int mode = ENVELOPE_WHOLE; mode <= ENVELOPE_STREAM; mode++) {
			const struct like like = {.level = (enum envelope_sender_level)level,
				.mode = (enum envelope_mode)mode};
			struct agent_opening *copy = NULL;
			seal(&s.w, &s.orders, &like, STR("hello"));
			open_ok("first", &s);
			/* While it is under way, and after it was delivered. */
			copy = STEAL(s.o);
			open_refused("a copy meanwhile", &s, AGENT_PROBLEM_REPLAYED);
			agent_opening_delivered(copy);
			agent_opening_free(copy);
			open_refused("a copy afterwards", &s, AGENT_PROBLEM_REPLAYED);
			/* What failed may come again. */
			seal(&s.w, &s.orders, &like, STR("hello"));
			open_ok("another", &s);
			s.o = agent_opening_free(s.o);
			open_ok("again", &s);
		}
	const struct like old = {.iat = NOW - 301};
	seal(&s.w, &s.orders, &old, STR("hello"));
	open_refused("old", &s, AGENT_PROBLEM_REPLAYED);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_signatures_of_others),
		cmocka_unit_test(test_forged_certificates),
		cmocka_unit_test(test_times_of_certificates),
		cmocka_unit_test(test_what_is_required),
		cmocka_unit_test(test_who_is_allowed),
		cmocka_unit_test(test_a_sender_is_waited_for),
		cmocka_unit_test(test_replays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
