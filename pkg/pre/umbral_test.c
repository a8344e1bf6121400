#include "pkg/pre/scheme.h"
#include "pkg/pre/test_world.h"

static int decrypt(struct world *w, const struct pre_cfrag *from, size_t n, struct secret *ret,
	struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(SECRET_LEN);
	const struct pre_receiver receiver = {.sk = &w->b, .delegating = &w->delegating};
	const struct pre_cfrags cfrags = {.v = from, .n = n};

	TRY(pre_decrypt_reencrypted(w->ctx, &receiver, &w->capsule, cfrags,
		pre_part(w->wrapped, sizeof(w->wrapped)), &plain, err));
	if (plain.len != sizeof(ret->b))
		return FAIL(err, ERR_BUG, "%zu bytes", plain.len);
	memcpy(ret->b, plain.data, sizeof(ret->b));
	return 0;
}

static void test_thresholds_open_and_fewer_do_not(void **state)
{
	static const struct {
		const char *name;
		uint32_t threshold, shares;
		unsigned flags;
	} rows[] = {
		{"1/1", 1, 1, PRE_SIGN_BOTH},
		{"1/3 unsigned keys", 1, 3, 0},
		{"2/2", 2, 2, PRE_SIGN_BOTH},
		{"2/3 delegating only", 2, 3, PRE_SIGN_DELEGATING},
		{"3/5 receiving only", 3, 5, PRE_SIGN_RECEIVING},
		{"4/9 two signatures", 4, 9, PRE_SIGN_BOTH | PRE_SIGN_TWICE},
		{"20/20", 20, 20, PRE_SIGN_BOTH},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = rows[i].name;
		const uint32_t t = rows[i].threshold;
		struct world w;
		struct secret got = {0};

		world_make(&w, t, rows[i].shares, rows[i].flags);
		for (uint32_t j = 0; j < w.shares; j++) {
			assert_ok(name, pre_kfrag_verify(w.ctx, &w.kfrags[j], &w.verifying,
						&w.delegating, &w.receiving, err));
			assert_ok(name, pre_cfrag_verify(w.ctx, &w.cfrags[j], &w.capsule,
						&w.verifying, &w.delegating, &w.receiving, err));
		}
		assert_ok(name, decrypt(&w, w.cfrags, t, &got, err));
		assert_memory_equal(got.b, w.k.b, sizeof(got.b));
		assert_ok(name, decrypt(&w, w.cfrags + w.shares - t, t, &got, err));
		assert_ok(name, decrypt(&w, w.cfrags, w.shares, &got, err));
		if (t > 1)
			assert_class(name, ERR_TAMPERED, decrypt(&w, w.cfrags, t - 1, &got, err));
		world_done(&w);
	}
}

static void test_generation_refuses_nonsense(void **state)
{
	static const struct {
		const char *name;
		uint32_t threshold, shares;
		bool same_key, zero_key;
		enum pre_reason reason;
	} rows[] = {
		{"no threshold", 0, 1, false, false, PRE_REASON_THRESHOLD},
		{"nothing at all", 0, 0, false, false, PRE_REASON_THRESHOLD},
		{"fewer shares than the threshold", 3, 2, false, false, PRE_REASON_THRESHOLD},
		{"too many", 1, PRE_SHARES_MAX + 1, false, false, PRE_REASON_THRESHOLD},
		{"the leader's key as signing key", 1, 1, true, false, PRE_REASON_SAME_KEY},
		{"a delegating key of zero", 1, 1, false, true, PRE_REASON_SCALAR},
	};
	struct world w;

	(void)state;
	world_keys(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pre_shares how = {.threshold = rows[i].threshold,
			.shares = rows[i].shares,
			.flags = PRE_SIGN_BOTH};
		const struct secret zero = {0};
		struct pre_kfrag k;
		struct err err = {0};

		assert_true(
			pre_kfrags_generate(w.ctx, rows[i].zero_key ? &zero : &w.a, &w.receiving,
				rows[i].same_key ? &w.a : &w.s, &how, &k, &err) < 0);
		if (err.detail != (int)rows[i].reason)
			fail_msg("%s: %s", rows[i].name, err.msg);
	}
	world_done(&w);
}

static void test_grants_are_checked_by_algebra(void **state)
{
	struct world w;
	struct world other;
	struct secret opening = {0};
	struct secret k = {0};
	struct err why = {0};

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	assert_ok("open", pre_grant_open(w.ctx, &w.b, &w.delegating, &w.verifying, &w.kfrags[0],
				  &opening, err));
	assert_memory_equal(opening.b, w.a.b, sizeof(opening.b));
	assert_ok("unwrap", pre_unwrap(w.ctx, &opening, &w.capsule, w.wrapped, &k, err));
	assert_memory_equal(k.b, w.k.b, sizeof(k.b));

	/* The signer may sign a kfrag of any key it likes: here of its own, for this member, with
	 * the leader's public key written into the claim. */
	const struct pre_shares lie = {.threshold = 1,
		.shares = 1,
		.flags = PRE_SIGN_BOTH,
		.delegating_pk = &w.delegating};
	struct pre_kfrag forged;
	assert_ok("lie", pre_kfrags_generate(w.ctx, &w.k, &w.receiving, &w.s, &lie, &forged, err));
	opening = (struct secret){.b = {7}};
	assert_true(pre_grant_open(w.ctx, &w.b, &w.delegating, &w.verifying, &forged, &opening,
			    &why) == -(int)ERR_TAMPERED);
	assert_int_equal(why.detail, PRE_REASON_WRONG_KEY);
	assert_int_equal(opening.b[0], 7);

	world_make(&other, 1, 1, PRE_SIGN_DELEGATING);
	assert_true(pre_grant_open(other.ctx, &other.b, &other.delegating, &other.verifying,
			    &other.kfrags[0], &opening, &why) == -(int)ERR_INVALID);
	assert_int_equal(why.detail, PRE_REASON_UNSIGNED_KEYS);
	assert_class("another member's key", ERR_TAMPERED,
		pre_grant_open(
			w.ctx, &other.a, &w.delegating, &w.verifying, &w.kfrags[0], &opening, err));
	world_done(&other);
	world_done(&w);
}

static void test_a_threshold_of_two_is_no_grant(void **state)
{
	struct world w;
	struct secret opening = {0};

	(void)state;
	world_make(&w, 2, 2, PRE_SIGN_BOTH);
	assert_class("one of two", ERR_TAMPERED,
		pre_grant_open(
			w.ctx, &w.b, &w.delegating, &w.verifying, &w.kfrags[0], &opening, err));
	world_done(&w);
}

static void test_ciphertexts_of_every_size(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 1000, 100000};
	struct world w;

	(void)state;
	world_keys(&w);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_(base_buf_done) struct buf text = base_buf(200000);
		_cleanup_(base_buf_done) struct buf sealed = base_buf(200000);
		_cleanup_(base_buf_done) struct buf plain = base_buf(400000);
		uint8_t *room = NULL;

		assert_ok("room", base_buf_room(&text, sizes[i], &room, err));
		assert_ok("text", base_random(&w.env, room, sizes[i], err));
		base_buf_added(&text, sizes[i]);
		assert_ok("before", base_buf_add_str(&plain, STR("kept"), err));
		assert_ok("encrypt", pre_encrypt(w.ctx, &w.delegating, base_buf_str(&text), w.wire,
					     &sealed, err));
		assert_int_equal(sealed.len, sizes[i] + PRE_WRAP_OVERHEAD);
		assert_ok("capsule",
			pre_capsule_parse(w.ctx, w.wire, sizeof(w.wire), &w.capsule, err));
		assert_ok("decrypt", pre_decrypt_original(w.ctx, &w.a, &w.capsule,
					     base_buf_str(&sealed), &plain, err));
		assert_int_equal(plain.len, 4 + sizes[i]);
		assert_memory_equal(plain.data, "kept", 4);
		if (sizes[i])
			assert_memory_equal(plain.data + 4, text.data, sizes[i]);
		sealed.data[sealed.len - 1] ^= 1;
		assert_class("changed", ERR_TAMPERED,
			pre_decrypt_original(
				w.ctx, &w.a, &w.capsule, base_buf_str(&sealed), &plain, err));
		assert_int_equal(plain.len, 4 + sizes[i]);
		/* What was deciphered before the tag was seen to be wrong is gone. */
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(plain.data[plain.len + j], 0);
	}
	world_done(&w);
}

static void test_a_full_buffer_takes_nothing(void **state)
{
	_cleanup_(base_buf_done) struct buf small = base_buf(PRE_WRAP_OVERHEAD);
	_cleanup_(base_buf_done) struct buf plain = base_buf(SECRET_LEN - 1);
	struct world w;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	assert_class("one byte too many", ERR_TOO_LARGE,
		pre_encrypt(w.ctx, &w.delegating, STR("x"), w.wire, &small, err));
	assert_int_equal(small.len, 0);
	assert_class("no room for the plaintext", ERR_TOO_LARGE,
		pre_decrypt_original(w.ctx, &w.a, &w.capsule,
			pre_part(w.wrapped, sizeof(w.wrapped)), &plain, err));
	world_done(&w);
}

static void test_statements_are_bound_to_all_they_say(void **state)
{
	struct world w;
	struct pre_signature sig;
	struct pre_signature again;

	(void)state;
	world_keys(&w);
	assert_ok("sign", pre_sign(w.ctx, &w.s, "functionkey/v1/a", STR("text"), &sig, err));
	assert_ok("verify",
		pre_verify(w.ctx, &w.verifying, "functionkey/v1/a", STR("text"), &sig, err));
	assert_ok("hedged", pre_sign(w.ctx, &w.s, "functionkey/v1/a", STR("text"), &again, err));
	assert_memory_not_equal(&sig, &again, sizeof(sig));

	const struct {
		const char *name, *context;
		const struct pre_public_key *key;
		struct str message;
	} rows[] = {
		{"another context", "functionkey/v1/b", &w.verifying, STR("text")},
		{"border moved", "functionkey/v1/at", &w.verifying, STR("ext")},
		{"another message", "functionkey/v1/a", &w.verifying, STR("texT")},
		{"empty message", "functionkey/v1/a", &w.verifying, STR_NULL},
		{"another key", "functionkey/v1/a", &w.delegating, STR("text")},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_class(rows[i].name, ERR_TAMPERED,
			pre_verify(
				w.ctx, rows[i].key, rows[i].context, rows[i].message, &sig, err));
	for (size_t i = 0; i < sizeof(sig.b); i++) {
		again = sig;
		again.b[i] ^= 1;
		assert_class("changed byte", ERR_TAMPERED,
			pre_verify(
				w.ctx, &w.verifying, "functionkey/v1/a", STR("text"), &again, err));
	}
	world_done(&w);
}

/* A signature over a COSE structure is none over a statement, and other bytes are not signed. */
static void test_cose_structures(void **state)
{
	static const char bytes[] = "\x84\x6a"
				    "Signature1\x43\xa1\x01\x26\x40\x45hello, and so on";
	const struct str good = base_str_n(bytes, sizeof(bytes) - 1);
	struct world w;
	struct pre_signature sig;

	(void)state;
	world_keys(&w);
	assert_ok("sign", pre_sign_cose(w.ctx, &w.s, good, &sig, err));
	assert_ok("verify", pre_verify_cose(w.ctx, &w.verifying, good, &sig, err));
	assert_class("key", ERR_TAMPERED, pre_verify_cose(w.ctx, &w.delegating, good, &sig, err));
	assert_class("bytes", ERR_TAMPERED,
		pre_verify_cose(w.ctx, &w.verifying, base_str_sub(good, 0, 20), &sig, err));
	assert_class("statement", ERR_TAMPERED,
		pre_verify(w.ctx, &w.verifying, "functionkey/v1/a", good, &sig, err));
	assert_class(
		"statement", ERR_TAMPERED, pre_verify(w.ctx, &w.verifying, "", good, &sig, err));

	char spaces[80];
	char point[34];
	memset(spaces, ' ', sizeof(spaces));
	memcpy(point, bytes, sizeof(point));
	point[32] = 3;
	const struct {
		const char *name;
		struct str bytes;
	} rows[] = {
		{"nothing", STR_NULL},
		{"a part of the beginning", base_str_n(bytes, 11)},
		{"COSE_Mac0", STR("\x84\x64MAC0")},
		{"a statement", base_str_n(spaces, sizeof(spaces))},
		{"a point where kfrags have one", base_str_n(point, sizeof(point))},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_class(rows[i].name, ERR_INVALID,
			pre_sign_cose(w.ctx, &w.s, rows[i].bytes, &sig, err));
		assert_class(rows[i].name, ERR_INVALID,
			pre_verify_cose(w.ctx, &w.verifying, rows[i].bytes, &sig, err));
	}
	world_done(&w);
}

static void test_high_s_is_refused(void **state)
{
	struct world w;
	struct pre_signature sig;

	(void)state;
	world_keys(&w);
	assert_ok("sign", pre_sign(w.ctx, &w.s, "c", STR("text"), &sig, err));
	assert_true(secp256k1_ec_seckey_negate(w.ctx->curve, sig.b + PRE_SCALAR_LEN));
	assert_class("n - s", ERR_TAMPERED,
		pre_verify(w.ctx, &w.verifying, "c", STR("text"), &sig, err));
	world_done(&w);
}

static void test_derived_keys(void **state)
{
	struct world w;
	struct secret one = {0};
	struct secret two = {0};
	struct pre_public_key one_pk;
	struct pre_public_key two_pk;
	uint8_t okm[64];
	uint8_t factory[PRE_SCALAR_LEN];
	const struct str info = STR("KEY_DERIVATION/label");
	const struct str part = pre_part(okm, sizeof(okm));

	(void)state;
	world_keys(&w);
	assert_ok("derive", pre_derive_key(w.ctx, &w.a, "label", &one, &one_pk, err));
	assert_ok("public", pre_public_of(w.ctx, &one, &two_pk, err));
	assert_true(pre_public_key_eq(&one_pk, &two_pk));
	assert_ok("again", pre_derive_key(w.ctx, &w.a, "label", &two, &two_pk, err));
	assert_memory_equal(&one, &two, sizeof(one));
	assert_ok("label", pre_derive_key(w.ctx, &w.a, "other", &two, &two_pk, err));
	assert_memory_not_equal(&one, &two, sizeof(one));
	assert_ok("key", pre_derive_key(w.ctx, &w.b, "label", &two, &two_pk, err));
	assert_memory_not_equal(&one, &two, sizeof(one));

	/* What a stock SecretKeyFactory would make of the same seed and label. */
	assert_ok("hkdf",
		pre_hkdf(w.ctx, pre_part(w.a.b, sizeof(w.a.b)), info, okm, sizeof(okm), err));
	assert_ok("factory", pre_hash_to_scalar(w.ctx, info.p, &part, 1, factory, err));
	assert_memory_not_equal(one.b, factory, sizeof(factory));
	world_done(&w);
}

static void test_without_randomness_nothing_is_made(void **state)
{
	struct world w;
	struct world before;

	(void)state;
	for (int n = 1; n <= 3; n++) {
		world_make(&w, 1, 1, PRE_SIGN_BOTH);
		memcpy(&before, &w, sizeof(w));
		w.fake.fail_after = n;
		assert_class("wrap", ERR_TERMINAL,
			pre_wrap(w.ctx, &w.delegating, &w.k, w.wire, w.wrapped, err));
		const struct pre_shares how = {.threshold = 1, .shares = 1, .flags = PRE_SIGN_BOTH};
		w.fake.fail_after = n;
		assert_class("kfrags", ERR_TERMINAL,
			pre_kfrags_generate(w.ctx, &w.a, &w.receiving, &w.s, &how, w.kfrags, err));
		w.fake.fail_after = 1;
		assert_class("cfrag", ERR_TERMINAL,
			pre_reencrypt(w.ctx, &w.capsule, &before.kfrags[0], w.cfrags, err));
		w.fake.fail_after = 1;
		assert_class("keygen", ERR_TERMINAL, pre_keygen(w.ctx, &w.a, &w.delegating, err));
		struct pre_precursor precursor = {0};
		w.fake.fail_after = 1;
		assert_class("precursor", ERR_TERMINAL, pre_precursor_new(w.ctx, &precursor, err));
		struct pre_ephemeral e = {0};
		w.fake.fail_after = 2;
		assert_class("ephemeral", ERR_TERMINAL, pre_ephemeral_new(w.ctx, &e, err));
		const struct pre_ephemeral none = {0};
		assert_memory_equal(&e, &none, sizeof(e));
		assert_memory_equal(w.wire, before.wire, sizeof(w.wire));
		assert_memory_equal(w.wrapped, before.wrapped, sizeof(w.wrapped));
		assert_memory_equal(w.cfrags, before.cfrags, sizeof(w.cfrags));
		assert_memory_equal(&w.a, &before.a, sizeof(w.a));
		/* The one output that is wiped instead: it held secrets by then. */
		for (size_t i = 0; i < sizeof(w.kfrags[0].b); i++)
			assert_int_equal(w.kfrags[0].b[i], n == 1 ? before.kfrags[0].b[i] : 0);
		world_done(&w);
	}
}

/* One precursor and one capsule for two receivers: each opens its own, and nothing of the other's.
 */
static void test_what_receivers_may_share(void **state)
{
	_cleanup_(pre_precursor_wipe) struct pre_precursor precursor = {0};
	_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e = {0};
	struct secret sk[2], k[2], got = {0};
	struct pre_public_key pk[2];
	struct pre_kfrag kfrags[2];
	uint8_t wrapped[2][PRE_WRAPPED_LEN];
	struct world w;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	assert_ok("precursor", pre_precursor_new(w.ctx, &precursor, err));
	assert_ok("ephemeral", pre_ephemeral_new(w.ctx, &e, err));
	const struct pre_shares how = {
		.threshold = 1, .shares = 1, .flags = PRE_SIGN_BOTH, .precursor = &precursor};
	for (size_t i = 0; i < 2; i++) {
		assert_ok("key", pre_keygen(w.ctx, &sk[i], &pk[i], err));
		assert_ok("kfrag",
			pre_kfrags_generate(w.ctx, &w.a, &pk[i], &w.s, &how, &kfrags[i], err));
		assert_ok("k", base_random(&w.env, k[i].b, sizeof(k[i].b), err));
		assert_ok("wrap", pre_wrap_with(w.ctx, &e, &pk[i], &k[i], wrapped[i], err));
	}
	assert_ok(
		"capsule", pre_capsule_parse(w.ctx, e.capsule, sizeof(e.capsule), &w.capsule, err));
	for (size_t i = 0; i < 2; i++) {
		const size_t other = 1 - i;
		assert_ok("grant", pre_grant_open(w.ctx, &sk[i], &w.delegating, &w.verifying,
					   &kfrags[i], &got, err));
		assert_memory_equal(&got, &w.a, sizeof(got));
		assert_class("the other's kfrag", ERR_TAMPERED,
			pre_grant_open(w.ctx, &sk[i], &w.delegating, &w.verifying, &kfrags[other],
				&got, err));
		assert_ok("unwrap", pre_unwrap(w.ctx, &sk[i], &w.capsule, wrapped[i], &got, err));
		assert_memory_equal(&got, &k[i], sizeof(got));
		assert_class("the other's", ERR_TAMPERED,
			pre_unwrap(w.ctx, &sk[i], &w.capsule, wrapped[other], &got, err));
	}
	/* Same X; all that must not repeat does not. */
	assert_memory_equal(kfrags[0].b + PRE_KFRAG_X, kfrags[1].b + PRE_KFRAG_X, PRE_POINT_LEN);
	assert_memory_not_equal(
		kfrags[0].b + PRE_KFRAG_ID, kfrags[1].b + PRE_KFRAG_ID, PRE_SCALAR_LEN);
	assert_memory_not_equal(
		kfrags[0].b + PRE_KFRAG_RK, kfrags[1].b + PRE_KFRAG_RK, PRE_SCALAR_LEN);
	assert_memory_not_equal(wrapped[0], wrapped[1], PRE_NONCE_LEN);
	const struct pre_public_key no_point = {.b = {2}};
	assert_class("no point", ERR_INVALID,
		pre_wrap_with(w.ctx, &e, &no_point, &k[0], wrapped[0], err));
	assert_class("no point", ERR_INVALID,
		pre_kfrags_generate(w.ctx, &w.a, &no_point, &w.s, &how, &kfrags[0], err));
	world_done(&w);
}

static void test_the_table_of_schemes(void **state)
{
	const struct pre_scheme *s = pre_scheme_by_id(PRE_SCHEME_UMBRAL);
	struct world w;
	struct secret got = {0};

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->name, "umbral-secp256k1");
	assert_ptr_equal(pre_scheme_by_name(STR("umbral-secp256k1")), s);
	assert_null(pre_scheme_by_name(STR("umbral-secp256k")));
	assert_null(pre_scheme_by_name(STR_NULL));
	assert_null(pre_scheme_by_id(0));
	assert_null(pre_scheme_by_id(2));
	const struct pre_scheme_send *send = pre_scheme_send(s);
	const struct pre_scheme_hold *hold = pre_scheme_hold(s);
	const struct pre_scheme none = {.id = 99};
	assert_null(pre_scheme_send(&none));
	assert_null(pre_scheme_hold(&none));

	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	assert_ok("wrap", send->wrap(w.ctx, &w.delegating, &w.k, w.wire, w.wrapped, err));
	assert_ok("capsule", s->capsule_parse(w.ctx, w.wire, s->capsule_len, &w.capsule, err));
	assert_ok("grant", hold->grant_open(w.ctx, &w.b, &w.delegating, &w.verifying, &w.kfrags[0],
				   &got, err));
	assert_ok("unwrap", hold->unwrap(w.ctx, &got, &w.capsule, w.wrapped, &got, err));
	assert_memory_equal(&got, &w.k, sizeof(got));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds_open_and_fewer_do_not),
		cmocka_unit_test(test_generation_refuses_nonsense),
		cmocka_unit_test(test_grants_are_checked_by_algebra),
		cmocka_unit_test(test_a_threshold_of_two_is_no_grant),
		cmocka_unit_test(test_ciphertexts_of_every_size),
		cmocka_unit_test(test_a_full_buffer_takes_nothing),
		cmocka_unit_test(test_statements_are_bound_to_all_they_say),
		cmocka_unit_test(test_cose_structures),
		cmocka_unit_test(test_high_s_is_refused),
		cmocka_unit_test(test_derived_keys),
		cmocka_unit_test(test_without_randomness_nothing_is_made),
		cmocka_unit_test(test_what_receivers_may_share),
		cmocka_unit_test(test_the_table_of_schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
