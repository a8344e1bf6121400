/* Bytes from outside that are wrong: each must be refused, and must not touch outputs. */
#include "pkg/pre/test_world.h"

struct shape {
	const char *name;
	size_t len;
	const uint8_t *(*good)(const struct world *w);
	/* Parses, and verifies all that can be verified. */
	int (*accept)(struct world *w, const uint8_t *p, size_t n, struct err *err);
};

static const uint8_t *good_capsule(const struct world *w)
{
	return w->capsule.b;
}

static int accept_capsule(struct world *w, const uint8_t *p, size_t n, struct err *err)
{
	struct pre_capsule c;

	return pre_capsule_parse(w->ctx, p, n, &c, err);
}

static const uint8_t *good_kfrag(const struct world *w)
{
	return w->kfrags[0].b;
}

static int accept_kfrag(struct world *w, const uint8_t *p, size_t n, struct err *err)
{
	struct pre_kfrag k;

	TRY(pre_kfrag_parse(w->ctx, p, n, &k, err));
	return pre_kfrag_verify_both(w->ctx, &k, &w->verifying, &w->delegating, &w->receiving, err);
}

static const uint8_t *good_cfrag(const struct world *w)
{
	return w->cfrags[0].b;
}

static int accept_cfrag(struct world *w, const uint8_t *p, size_t n, struct err *err)
{
	struct pre_cfrag c;

	TRY(pre_cfrag_parse(w->ctx, p, n, &c, err));
	return pre_cfrag_verify(
		w->ctx, &c, &w->capsule, &w->verifying, &w->delegating, &w->receiving, err);
}

static const uint8_t *good_wrapped(const struct world *w)
{
	return w->wrapped;
}

static int accept_wrapped(struct world *w, const uint8_t *p, size_t n, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(1000);

	return pre_decrypt_original(w->ctx, &w->a, &w->capsule, pre_part(p, n), &plain, err);
}

static const uint8_t *good_key(const struct world *w)
{
	return w->verifying.b;
}

/* A key has no proof of its own: it must be the one that verifies the kfrag. */
static int accept_key(struct world *w, const uint8_t *p, size_t n, struct err *err)
{
	struct pre_public_key key;

	TRY(pre_public_key_parse(w->ctx, p, n, &key, err));
	return pre_kfrag_verify_both(
		w->ctx, &w->kfrags[0], &key, &w->delegating, &w->receiving, err);
}

static const struct shape shapes[] = {
	{"capsule", PRE_CAPSULE_LEN, good_capsule, accept_capsule},
	{"kfrag", PRE_KFRAG_LEN, good_kfrag, accept_kfrag},
	{"cfrag", PRE_CFRAG_LEN, good_cfrag, accept_cfrag},
	{"wrapped secret", PRE_WRAPPED_LEN, good_wrapped, accept_wrapped},
	{"public key", PRE_POINT_LEN, good_key, accept_key},
};

static void refuse(struct world *w, const struct shape *shape, const uint8_t *p, size_t n,
	const char *how, size_t where)
{
	struct err err = {0};
	const int r = shape->accept(w, p, n, &err);

	if (r != -(int)ERR_INVALID && r != -(int)ERR_TAMPERED)
		fail_msg("%s: %s at %zu is taken (%d)", shape->name, how, where, r);
	if (err.detail <= PRE_REASON_NONE || err.detail >= PRE_REASON_COUNT)
		fail_msg("%s: %s at %zu has no reason: %s", shape->name, how, where, err.msg);
}

static void test_every_changed_byte_is_seen(void **state)
{
	struct world w;
	uint8_t b[PRE_CFRAG_LEN + 1];

	(void)state;
	/* Two signatures, so that each byte of each matters. */
	world_make(&w, 1, 1, PRE_SIGN_BOTH | PRE_SIGN_TWICE);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const struct shape *shape = &shapes[i];

		memcpy(b, shape->good(&w), shape->len);
		assert_ok(shape->name, shape->accept(&w, b, shape->len, err));
		for (size_t at = 0; at < shape->len; at++) {
			for (unsigned bit = 1; bit < 256; bit <<= 3) {
				b[at] ^= (uint8_t)bit;
				refuse(&w, shape, b, shape->len, "a changed bit", at);
				b[at] ^= (uint8_t)bit;
			}
		}
	}
	world_done(&w);
}

static void test_every_other_length_is_refused(void **state)
{
	struct world w;
	uint8_t b[PRE_CFRAG_LEN + 1] = {0};

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		memset(b, 0, sizeof(b));
		memcpy(b, shapes[i].good(&w), shapes[i].len);
		for (size_t n = 0; n < shapes[i].len; n++)
			refuse(&w, &shapes[i], b, n, "a cut", n);
		refuse(&w, &shapes[i], b, shapes[i].len + 1, "a byte more", shapes[i].len);
	}
	world_done(&w);
}

/* Fields that hold what is never right: all zero, all ones, the order. */
static void test_impossible_fields_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t shape, at, n;
	} fields[] = {
		{"E", 0, PRE_CAPSULE_E, 33},
		{"V", 0, PRE_CAPSULE_V, 33},
		{"s", 0, PRE_CAPSULE_S, 32},
		{"U", 1, PRE_KFRAG_U, 33},
		{"rk", 1, PRE_KFRAG_RK, 32},
		{"X", 1, PRE_KFRAG_X, 33},
		{"C", 1, PRE_KFRAG_C, 33},
		{"r for the proxy", 1, PRE_KFRAG_FOR_PROXY, 32},
		{"s for the proxy", 1, PRE_KFRAG_FOR_PROXY + 32, 32},
		{"r for the receiver", 1, PRE_KFRAG_FOR_RECEIVER, 32},
		{"s for the receiver", 1, PRE_KFRAG_FOR_RECEIVER + 32, 32},
		{"E1", 2, PRE_CFRAG_E1, 33},
		{"V1", 2, PRE_CFRAG_V1, 33},
		{"X", 2, PRE_CFRAG_X, 33},
		{"E2", 2, PRE_CFRAG_E2, 33},
		{"V2", 2, PRE_CFRAG_V2, 33},
		{"U1", 2, PRE_CFRAG_U1, 33},
		{"U2", 2, PRE_CFRAG_U2, 33},
		{"z", 2, PRE_CFRAG_Z, 32},
		{"r", 2, PRE_CFRAG_SIG, 32},
		{"s", 2, PRE_CFRAG_SIG + 32, 32},
	};
	static const char *const fills[] = {
		"000000000000000000000000000000000000000000000000000000000000000000",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		/* x = 0 and x = 5 are on no point; x = p; n as a scalar, 04 and 05 as tags */
		"020000000000000000000000000000000000000000000000000000000000000000",
		"020000000000000000000000000000000000000000000000000000000000000005",
		"02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036414100",
		"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		"0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
	};
	struct world w;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH | PRE_SIGN_TWICE);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct shape *shape = &shapes[fields[i].shape];

		for (size_t j = 0; j < ARRAY_LEN(fills); j++) {
			uint8_t b[PRE_CFRAG_LEN];
			uint8_t fill[33];
			memcpy(b, shape->good(&w), shape->len);
			assert_ok("fill", base_unhex(base_str(fills[j]), fill, sizeof(fill), err));
			memcpy(b + fields[i].at, fill, fields[i].n);
			refuse(&w, shape, b, shape->len, fields[i].name, j);
		}
	}
	world_done(&w);
}

/* Parsers alone, before any verification, keep scalars in range. */
static void test_parsers_refuse_scalars_out_of_range(void **state)
{
	static const uint8_t too_large[PRE_SCALAR_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct world w;
	struct pre_kfrag kfrag;
	struct pre_cfrag cfrag;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	memcpy(w.kfrags[0].b + PRE_KFRAG_RK, too_large, sizeof(too_large));
	assert_class("rk", ERR_INVALID,
		pre_kfrag_parse(w.ctx, w.kfrags[0].b, PRE_KFRAG_LEN, &kfrag, err));
	memcpy(w.cfrags[0].b + PRE_CFRAG_Z, too_large, sizeof(too_large));
	assert_class("z", ERR_INVALID,
		pre_cfrag_parse(w.ctx, w.cfrags[0].b, PRE_CFRAG_LEN, &cfrag, err));
	world_done(&w);
}

static int decrypt(struct world *w, const struct pre_cfrag *v, size_t n, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(1000);
	const struct pre_receiver receiver = {.sk = &w->b, .delegating = &w->delegating};
	const struct pre_cfrags cfrags = {.v = v, .n = n};

	return pre_decrypt_reencrypted(w->ctx, &receiver, &w->capsule, cfrags,
		pre_part(w->wrapped, sizeof(w->wrapped)), &plain, err);
}

static void test_sets_of_cfrags_that_do_not_fit(void **state)
{
	struct world w;
	struct world other;

	(void)state;
	world_make(&w, 2, 3, PRE_SIGN_BOTH);
	world_make(&other, 2, 3, PRE_SIGN_BOTH);
	/* The same keys as w by the same stream, so another delegation of the same two. */
	const struct pre_shares how = {.threshold = 2, .shares = 3, .flags = PRE_SIGN_BOTH};
	assert_ok("kfrags", pre_kfrags_generate(other.ctx, &other.a, &other.receiving, &other.s,
				    &how, other.kfrags, err));
	assert_ok("cfrag",
		pre_reencrypt(other.ctx, &w.capsule, &other.kfrags[1], &other.cfrags[1], err));

	const struct {
		const char *name;
		struct pre_cfrag v[3];
		size_t n;
		enum pre_reason reason;
	} rows[] = {
		{"none", {w.cfrags[0]}, 0, PRE_REASON_NO_CFRAGS},
		{"too many", {w.cfrags[0]}, PRE_SHARES_MAX + 1, PRE_REASON_NO_CFRAGS},
		{"one of two", {w.cfrags[0]}, 1, PRE_REASON_VALIDATION},
		{"the same twice", {w.cfrags[0], w.cfrags[0]}, 2, PRE_REASON_REPEATING},
		{"one again at the end", {w.cfrags[0], w.cfrags[1], w.cfrags[0]}, 3,
			PRE_REASON_REPEATING},
		{"of two delegations", {w.cfrags[0], other.cfrags[1]}, 2, PRE_REASON_MISMATCHED},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};

		assert_true(decrypt(&w, rows[i].v, rows[i].n, &err) < 0);
		if (err.detail != (int)rows[i].reason)
			fail_msg("%s: %s", rows[i].name, err.msg);
	}
	world_done(&other);
	world_done(&w);
}

/* A proxy that uses another scalar for one of E, V and U, and proves what it can: the same t and z
 * for all three, so that exactly one equation does not hold. */
static void forge(struct world *w, size_t lie, struct pre_cfrag *ret)
{
	const struct {
		const struct pre_point *p;
		size_t first, second;
	} rows[] = {
		{&w->capsule.e, PRE_CFRAG_E1, PRE_CFRAG_E2},
		{&w->capsule.v, PRE_CFRAG_V1, PRE_CFRAG_V2},
		{&w->ctx->u, PRE_CFRAG_U1, PRE_CFRAG_U2},
	};
	struct secret rk;
	struct secret other = {0};
	struct secret z = {0};
	uint8_t b[PRE_CFRAG_LEN];
	uint8_t h[PRE_SCALAR_LEN];

	memcpy(rk.b, w->kfrags[0].b + PRE_KFRAG_RK, sizeof(rk.b));
	memcpy(b, w->cfrags[0].b, sizeof(b));
	assert_ok("scalar", pre_scalar_random(w->ctx, &other, err));
	assert_ok("t", pre_scalar_random(w->ctx, &z, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pre_point point;
		/* U1 is signed, so that a lie about U is one about both others. */
		const bool honest = lie == 2 ? i == 2 : i != lie;
		assert_true(pre_mul(w->ctx, honest ? &rk : &other, rows[i].p, &point));
		pre_point_bytes(w->ctx, &point, b + rows[i].first);
		assert_true(pre_mul(w->ctx, &z, rows[i].p, &point));
		pre_point_bytes(w->ctx, &point, b + rows[i].second);
	}
	assert_ok("challenge", pre_cfrag_h(w->ctx, &w->capsule, b, h, err));
	struct secret product = lie == 2 ? other : rk;
	assert_true(pre_scalar_mul(w->ctx, &product, h));
	assert_true(pre_scalar_add(w->ctx, &z, product.b));
	memcpy(b + PRE_CFRAG_Z, z.b, sizeof(z.b));
	assert_ok("parse", pre_cfrag_parse(w->ctx, b, sizeof(b), ret, err));
}

static void test_each_equation_of_the_proof_counts(void **state)
{
	struct world w;
	struct pre_cfrag cfrag;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	for (size_t lie = 0; lie < 4; lie++) {
		struct err err = {0};

		forge(&w, lie, &cfrag);
		const int r = pre_cfrag_verify(
			w.ctx, &cfrag, &w.capsule, &w.verifying, &w.delegating, &w.receiving, &err);
		if (lie == 3 && r < 0)
			fail_msg("an honest cfrag is refused: %s", err.msg);
		if (lie < 3 && (r == 0 || err.detail != PRE_REASON_PROOF))
			fail_msg("lie %zu: %s", lie, err.msg);
	}
	world_done(&w);
}

static void test_secret_keys_that_are_no_scalars(void **state)
{
	static const char *const keys[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	struct world w;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct secret sk = {0};
		struct secret got = {0};
		struct pre_public_key pk;
		struct pre_signature sig;

		assert_ok(keys[i], base_unhex(base_str(keys[i]), sk.b, sizeof(sk.b), err));
		assert_class(keys[i], ERR_INVALID, pre_public_of(w.ctx, &sk, &pk, err));
		assert_class(keys[i], ERR_INVALID, pre_sign(w.ctx, &sk, "c", STR("m"), &sig, err));
		assert_class(keys[i], ERR_INVALID, pre_derive_key(w.ctx, &sk, "l", &got, &pk, err));
		assert_class(keys[i], ERR_INVALID,
			pre_unwrap(w.ctx, &sk, &w.capsule, w.wrapped, &got, err));
		assert_class(keys[i], ERR_INVALID,
			pre_grant_open(
				w.ctx, &sk, &w.delegating, &w.verifying, &w.kfrags[0], &got, err));
		w.b = sk;
		assert_class(keys[i], ERR_INVALID, decrypt(&w, w.cfrags, 1, err));
	}
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_changed_byte_is_seen),
		cmocka_unit_test(test_every_other_length_is_refused),
		cmocka_unit_test(test_impossible_fields_are_refused),
		cmocka_unit_test(test_parsers_refuse_scalars_out_of_range),
		cmocka_unit_test(test_sets_of_cfrags_that_do_not_fit),
		cmocka_unit_test(test_each_equation_of_the_proof_counts),
		cmocka_unit_test(test_secret_keys_that_are_no_scalars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
