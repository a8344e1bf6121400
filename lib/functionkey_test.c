#include "agent/sample.h"
#include "lib/functionkey.h"
#include "pkg/base/buf.h"
#include "pkg/base/test.h"
#include "pkg/envelope/message.h"

#define JSON_MAX (1u << 20)

struct world {
	struct sample a, b;
	struct functionkey_sender *sender;
};

/* As sample_begin, with a pod whose UID is one: here records are text. */
static void begin(struct sample *s, uint64_t seed, const char *revision)
{
	*s = (struct sample){0};
	life_begin(&s->life, seed, revision, "22222222-2222-2222-2222-222222222222");
	s->fk = (struct crds_functionkey){.ns = STR("shop"),
		.name = base_str(revision),
		.uid = STR("11111111-1111-1111-1111-111111111111"),
		.role = CRDS_LEADER,
		.revision = base_str(revision),
		.function = STR("billing"),
		.label_function = STR("billing"),
		.keys = s->keys,
		.conditions = s->conditions};
	sample_leader(s, 1);
	(void)sample_key(s, 1, 0, CRDS_ACTIVE);
}

static void world_begin(struct world *w)
{
	struct functionkey_error why = {""};

	*w = (struct world){.sender = NULL};
	begin(&w->a, 1, "billing-1");
	begin(&w->b, 2, "billing-2");
	if (functionkey_sender_new("shop", "billing", &w->sender, &why))
		fail_msg("sender: %s", why.message);
}

static void world_end(struct world *w)
{
	functionkey_sender_free(w->sender);
	sample_done(&w->a);
	sample_done(&w->b);
}

/* A record as kubectl prints it. */
static void record(const struct crds_functionkey *fk, struct buf *b)
{
	assert_ok("metadata",
		base_buf_addf(b, err,
			"{\"apiVersion\":\"functionkey.dev/v1alpha1\",\"kind\":\"FunctionKey\","
			"\"metadata\":{\"namespace\":\"%.*s\",\"name\":\"%.*s\","
			"\"uid\":\"%.*s\",\"resourceVersion\":\"7\",\"labels\":{"
			"\"functionkey.dev/function\":\"%.*s\"}},",
			STR_FMT(fk->ns), STR_FMT(fk->name), STR_FMT(fk->uid),
			STR_FMT(fk->label_function)));
	assert_ok("spec",
		base_buf_addf(b, err,
			"\"spec\":{\"role\":\"Leader\",\"revision\":\"%.*s\",\"function\":\"%.*s\","
			"\"scheme\":\"umbral-secp256k1\"},\"status\":{\"epoch\":%lld,"
			"\"activeEpoch\":%lld,\"observedEpoch\":1,\"leader\":",
			STR_FMT(fk->revision), STR_FMT(fk->function), (long long)fk->epoch,
			(long long)fk->active_epoch));
	assert_ok("leader", crds_leader_status_json(&fk->leader, b, err));
	assert_ok("keys", base_buf_addf(b, err, ",\"keys\":"));
	assert_ok("keys", crds_keys_json(fk->keys, fk->keys_len, b, err));
	assert_ok("conditions", base_buf_addf(b, err, ",\"conditions\":["));
	for (size_t i = 0; i < fk->conditions_len; i++)
		assert_ok("condition",
			base_buf_addf(b, err,
				"%s{\"type\":\"%.*s\",\"status\":\"True\",\"reason\":\"NoHolder\","
				"\"message\":\"m\",\"lastTransitionTime\":\"2026-11-21T00:00:"
				"00Z\"}",
				i ? "," : "", STR_FMT(fk->conditions[i].type)));
	assert_ok("end", base_buf_addf(b, err, "]}}"));
}

static int give(struct world *w, size_t n, unsigned flags, struct functionkey_error *why)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(JSON_MAX);

	if (n == 1) {
		record(&w->a.fk, &b);
	} else {
		assert_ok("list", base_buf_addf(&b, err, "{\"kind\":\"List\",\"items\":["));
		record(&w->a.fk, &b);
		assert_ok("list", base_buf_addf(&b, err, ","));
		record(&w->b.fk, &b);
		assert_ok("list", base_buf_addf(&b, err, "]}"));
	}
	return functionkey_sender_records(w->sender, (const char *)b.data, b.len, flags, why);
}

static void records_of_kubectl_are_read(void **state)
{
	struct functionkey_error why = {""};
	struct world w;
	void *envelope = NULL;
	size_t n = 0;

	(void)state;
	world_begin(&w);
	if (give(&w, 1, 0, &why))
		fail_msg("one record: %s", why.message);
	assert_int_equal(functionkey_sender_recipients(w.sender), 1);
	assert_int_equal(give(&w, 2, 0, &why), FUNCTIONKEY_OK);
	assert_int_equal(functionkey_sender_recipients(w.sender), 2);
	assert_int_equal(functionkey_seal(w.sender, NULL, "x", 1, &envelope, &n, &why), 0);
	struct envelope_message m;
	struct str body = STR_NULL;
	assert_ok("envelope", envelope_parse_whole(base_str_n(envelope, n), &m, &body, err));
	assert_int_equal(m.header.recipient_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct sample *s = m.header.recipients[i].name.p[13] == '1' ? &w.a : &w.b;
		assert_true(base_str_eq(m.header.recipients[i].name,
			s == &w.a ? STR("shop/billing-1") : STR("shop/billing-2")));
		assert_memory_equal(m.header.recipients[i].fp.b, s->keys[0].fingerprint.b, 16);
	}
	functionkey_free(envelope);
	world_end(&w);
}

static void another_function(struct world *w)
{
	w->a.fk.function = STR("orders");
}
static void another_label(struct world *w)
{
	w->a.fk.label_function = STR("orders");
}
static void another_namespace(struct world *w)
{
	w->a.fk.ns = STR("mall");
}
static void another_key(struct world *w)
{
	w->a.keys[0].key = w->a.keys[0].continuity;
}
static void another_signature(struct world *w)
{
	w->a.keys[0].signature.b[40] ^= 1;
}
static void another_leader(struct world *w)
{
	w->a.fk.leader.term = 9;
}
static void retired(struct world *w)
{
	w->a.keys[0].state = CRDS_RETIRED;
	w->a.fk.active_epoch = 0;
}
static void no_holder(struct world *w)
{
	w->a.conditions[0].type = STR("NoHolder");
	w->a.fk.conditions_len = 1;
}

static void spoiled_records_change_nothing(void **state)
{
	static const struct {
		const char *name;
		void (*spoil)(struct world *w);
		int status;
	} rows[] = {
		{"another function", another_function, FUNCTIONKEY_E_INVALID},
		{"another label", another_label, FUNCTIONKEY_E_INVALID},
		{"another namespace", another_namespace, FUNCTIONKEY_E_INVALID},
		{"another key", another_key, FUNCTIONKEY_E_UNTRUSTED},
		{"another signature", another_signature, FUNCTIONKEY_E_UNTRUSTED},
		{"another term", another_leader, FUNCTIONKEY_E_UNTRUSTED},
		{"retired", retired, FUNCTIONKEY_E_NOT_READY},
		{"no holder", no_holder, FUNCTIONKEY_E_NOT_READY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct functionkey_error why = {""};
		struct world w;
		world_begin(&w);
		assert_int_equal(give(&w, 2, 0, &why), 0);
		rows[i].spoil(&w);
		const int status = give(&w, 1, 0, &why);
		if (status != rows[i].status || why.message[0] == 0)
			fail_msg("%s: %d: %s", rows[i].name, status, why.message);
		assert_int_equal(functionkey_sender_recipients(w.sender), 2);
		world_end(&w);
	}
}

static void texts_that_are_no_records_are_refused(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"items\":{}}", "{\"items\":[1]}",
		"{\"items\":[{}]}", "{\"items\":[]}x", "nonsense"};
	struct functionkey_error why = {""};
	struct world w;

	(void)state;
	world_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (functionkey_sender_records(w.sender, texts[i], strlen(texts[i]), 0, &why) !=
			FUNCTIONKEY_E_INVALID)
			fail_msg("%s: taken", texts[i]);
	assert_int_equal(functionkey_sender_records(w.sender, "{\"items\":[]}", 12, 0, &why),
		FUNCTIONKEY_E_NOT_READY);
	world_end(&w);
}

static void keys_are_remembered(void **state)
{
	struct functionkey_error why = {""};
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(give(&w, 1, 0, &why), 0);
	(void)sample_key(&w.a, 2, 1, CRDS_ACTIVE);
	assert_int_equal(give(&w, 1, 0, &why), 0);
	(void)sample_key(&w.a, 3, 0, CRDS_ACTIVE); /* without a link */
	assert_int_equal(give(&w, 1, 0, &why), FUNCTIONKEY_E_UNTRUSTED);
	assert_int_equal(give(&w, 1, FUNCTIONKEY_ACCEPT_BREAK, &why), 0);
	assert_int_equal(give(&w, 1, 0, &why), 0);
	no_holder(&w); /* of the key before, as observedEpoch says */
	assert_int_equal(give(&w, 1, 0, &why), 0);
	world_end(&w);
}

/* A sender of the test's own key, and who opens it. */
struct pair {
	struct functionkey_sender *sender;
	struct functionkey_key *key;
};

static void pair_begin(struct pair *p)
{
	uint8_t public_key[FUNCTIONKEY_KEY_LEN];
	struct functionkey_error why = {""};

	*p = (struct pair){.sender = NULL};
	assert_int_equal(functionkey_key_new(&p->key, &why), 0);
	functionkey_key_public(p->key, public_key);
	assert_int_equal(functionkey_sender_new("shop", "billing", &p->sender, &why), 0);
	assert_int_equal(functionkey_sender_key(p->sender, "own", 3, public_key, &why), 0);
}

static void pair_end(struct pair *p)
{
	functionkey_sender_free(p->sender);
	functionkey_key_free(p->key);
}

static void what_is_sealed_is_opened(void **state)
{
	struct functionkey_options o = {
		.size = sizeof(o), .media_type = "text/plain", .expires = 4102444800};
	struct functionkey_info info = {.size = sizeof(info)};
	struct functionkey_error why = {""};
	struct functionkey_key *again = NULL, *other = NULL;
	uint8_t secret[FUNCTIONKEY_SECRET_LEN];
	void *envelope = NULL, *plaintext = NULL;
	size_t n = 0, m = 0;
	struct pair p;

	(void)state;
	pair_begin(&p);
	assert_int_equal(functionkey_seal(p.sender, &o, "hello", 5, &envelope, &n, &why), 0);
	functionkey_key_secret(p.key, secret);
	assert_int_equal(functionkey_key_from(secret, &again, &why), 0);
	if (functionkey_open(again, envelope, n, &plaintext, &m, &info, &why))
		fail_msg("%s", why.message);
	assert_int_equal(m, 5);
	assert_memory_equal(plaintext, "hello", 5);
	assert_string_equal(info.name, "shop/own");
	assert_string_equal(info.media_type, "text/plain");
	assert_int_equal(info.epoch, 3);
	assert_int_equal(info.expires, 4102444800);
	functionkey_free(plaintext);
	plaintext = NULL;
	assert_int_equal(functionkey_key_new(&other, &why), 0);
	assert_int_equal(functionkey_open(other, envelope, n, &plaintext, &m, NULL, &why),
		FUNCTIONKEY_E_NO_KEY);
	((uint8_t *)envelope)[n - 1] ^= 1;
	assert_int_equal(functionkey_open(p.key, envelope, n, &plaintext, &m, NULL, &why),
		FUNCTIONKEY_E_TAMPERED);
	assert_int_equal(functionkey_open(p.key, envelope, n - 1, &plaintext, &m, NULL, &why),
		FUNCTIONKEY_E_TAMPERED);
	assert_int_equal(functionkey_open(p.key, "nonsense", 8, &plaintext, &m, NULL, &why),
		FUNCTIONKEY_E_INVALID);
	assert_null(plaintext);
	functionkey_free(envelope);
	functionkey_key_free(other);
	functionkey_key_free(again);
	pair_end(&p);
}

static void nothing_is_a_message(void **state)
{
	struct functionkey_error why = {""};
	void *envelope = NULL, *plaintext = NULL;
	size_t n = 0, m = 1;
	struct pair p;

	(void)state;
	pair_begin(&p);
	assert_int_equal(functionkey_seal(p.sender, NULL, NULL, 0, &envelope, &n, &why), 0);
	assert_int_equal(functionkey_open(p.key, envelope, n, &plaintext, &m, NULL, &why), 0);
	assert_int_equal(m, 0);
	assert_non_null(plaintext);
	functionkey_free(plaintext);
	functionkey_free(envelope);
	pair_end(&p);
}

/* Callers of an older header have shorter structs; what they lack is the default. */
static void structs_may_be_shorter(void **state)
{
	struct functionkey_options o = {.size = offsetof(struct functionkey_options, expires),
		.media_type = "text/plain",
		.expires = 1};
	struct functionkey_info info;
	struct functionkey_error why = {""};
	void *envelope = NULL, *plaintext = NULL;
	size_t n = 0, m = 0;
	struct pair p;

	(void)state;
	pair_begin(&p);
	assert_int_equal(functionkey_seal(p.sender, &o, "x", 1, &envelope, &n, &why), 0);
	memset(&info, 0x5a, sizeof(info));
	info.size = offsetof(struct functionkey_info, name);
	assert_int_equal(functionkey_open(p.key, envelope, n, &plaintext, &m, &info, &why), 0);
	assert_int_equal(info.expires, 0);
	assert_int_equal(info.name[0], 0x5a);
	assert_int_equal(info.media_type[0], 0x5a);
	functionkey_free(plaintext);
	o.size = 0;
	assert_int_equal(functionkey_seal(p.sender, &o, "x", 1, &plaintext, &m, &why),
		FUNCTIONKEY_E_INVALID);
	functionkey_free(envelope);
	pair_end(&p);
}

static void bounds_are_kept(void **state)
{
	const size_t max = FUNCTIONKEY_MESSAGE_MAX;
	_cleanup_(base_free) char *bytes = base_alloc(1, max + 1);
	uint8_t nothing[FUNCTIONKEY_KEY_LEN] = {0};
	struct functionkey_error why = {""};
	struct functionkey_sender *s = NULL;
	struct functionkey_key *key = NULL;
	void *envelope = NULL, *plaintext = NULL;
	size_t n = 0, m = 0;
	struct pair p;

	(void)state;
	pair_begin(&p);
	assert_int_equal(functionkey_seal(p.sender, NULL, bytes, max, &envelope, &n, &why), 0);
	assert_int_equal(functionkey_open(p.key, envelope, n, &plaintext, &m, NULL, &why), 0);
	assert_int_equal(m, max);
	functionkey_free(plaintext);
	functionkey_free(envelope);
	assert_int_equal(functionkey_seal(p.sender, NULL, bytes, max + 1, &envelope, &n, &why),
		FUNCTIONKEY_E_TOO_LARGE);
	assert_int_equal(functionkey_key_from(nothing, &key, &why), FUNCTIONKEY_E_INVALID);
	assert_int_equal(functionkey_sender_new("", "f", &s, &why), FUNCTIONKEY_E_INVALID);
	assert_int_equal(functionkey_sender_new("n", NULL, &s, &why), FUNCTIONKEY_E_INVALID);
	assert_int_equal(
		functionkey_sender_key(p.sender, "r", 1, nothing, &why), FUNCTIONKEY_E_INVALID);
	assert_int_equal(functionkey_sender_new("shop", "billing", &s, &why), 0);
	assert_int_equal(
		functionkey_seal(s, NULL, "x", 1, &envelope, &n, &why), FUNCTIONKEY_E_NOT_READY);
	functionkey_sender_free(s);
	pair_end(&p);
}

static int collect(void *ctx, const void *p, size_t n)
{
	struct buf *b = ctx;

	return base_buf_add(b, p, n, NULL);
}

static void streams_of_any_length(void **state)
{
	const size_t sizes[] = {0, 1, 65536, 700000};
	_cleanup_(base_free) char *bytes = base_alloc(1, 700000);
	struct functionkey_error why = {""};
	struct pair p;

	(void)state;
	pair_begin(&p);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(1u << 21);
		struct functionkey_stream *stream = NULL;
		void *plaintext = NULL;
		size_t m = 0;
		assert_int_equal(
			functionkey_seal_begin(p.sender, NULL, collect, &out, &stream, &why), 0);
		assert_int_equal(functionkey_stream_add(stream, bytes, sizes[i] / 3, &why), 0);
		assert_int_equal(functionkey_stream_add(stream, bytes + sizes[i] / 3,
					 sizes[i] - sizes[i] / 3, &why),
			0);
		assert_int_equal(functionkey_stream_end(stream, &why), 0);
		functionkey_stream_free(stream);
		assert_int_equal(
			functionkey_open(p.key, out.data, out.len, &plaintext, &m, NULL, &why), 0);
		assert_int_equal(m, sizes[i]);
		functionkey_free(plaintext);
		assert_int_equal(
			functionkey_open(p.key, out.data, out.len - 1, &plaintext, &m, NULL, &why),
			FUNCTIONKEY_E_TAMPERED);
	}
	pair_end(&p);
}

static int refuse(void *ctx, const void *p, size_t n)
{
	(void)p;
	(void)n;
	return (*(int *)ctx)-- > 0 ? 0 : -1;
}

static void writers_that_fail_end_the_stream(void **state)
{
	struct functionkey_error why = {""};
	struct functionkey_stream *stream = NULL;
	int calls = 0;
	struct pair p;

	(void)state;
	pair_begin(&p);
	assert_int_equal(functionkey_seal_begin(p.sender, NULL, refuse, &calls, &stream, &why),
		FUNCTIONKEY_E_WRITE);
	assert_null(stream);
	calls = 1;
	assert_int_equal(functionkey_seal_begin(p.sender, NULL, refuse, &calls, &stream, &why), 0);
	assert_int_equal(functionkey_stream_end(stream, &why), FUNCTIONKEY_E_WRITE);
	functionkey_stream_free(stream);
	pair_end(&p);
}

static int torture_one(void *ctx, struct err *err)
{
	struct world *w = ctx;
	struct functionkey_error why = {""};
	struct functionkey_sender *s = NULL;
	void *envelope = NULL;
	size_t n = 0;
	int status = functionkey_sender_new("shop", "billing", &s, &why);

	if (status == 0) {
		struct functionkey_sender *const kept = w->sender;
		const uint8_t *const key = w->a.keys[0].key.b;
		status = functionkey_sender_key(s, "r", 1, key, &why);
		if (status == 0)
			status = functionkey_seal(s, NULL, "x", 1, &envelope, &n, &why);
		assert_ptr_equal(kept, w->sender);
	}
	functionkey_free(envelope);
	functionkey_sender_free(s);
	if (status == 0)
		return 0;
	return FAIL(err, status == FUNCTIONKEY_E_NOMEM ? ERR_NOMEM : ERR_BUG, "%d: %s", status,
		why.message);
}

static void allocations_may_fail(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	assert_true(torture_run("seal", torture_one, &w, 1) > 3);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_kubectl_are_read),
		cmocka_unit_test(spoiled_records_change_nothing),
		cmocka_unit_test(texts_that_are_no_records_are_refused),
		cmocka_unit_test(keys_are_remembered),
		cmocka_unit_test(what_is_sealed_is_opened),
		cmocka_unit_test(nothing_is_a_message),
		cmocka_unit_test(structs_may_be_shorter),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(streams_of_any_length),
		cmocka_unit_test(writers_that_fail_end_the_stream),
		cmocka_unit_test(allocations_may_fail),
	};
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed ? failed : base_alloc_live() != 0;
}
