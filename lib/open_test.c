/* Envelopes with a sender, as agents seal them, opened by a program's own key. */
#include "lib/functionkey.h"
#include "pkg/envelope/seal.h"
#include "pkg/envelope/sender_test_world.h"

struct world {
	struct sender_world sender;
	struct functionkey_key *key;
	struct pre_public_key public_key;
};

static int setup(void **state)
{
	static struct world w;
	struct functionkey_error why = {""};

	world_begin(&w.sender);
	assert_int_equal(functionkey_key_new(&w.key, &why), 0);
	functionkey_key_public(w.key, w.public_key.b);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->key = functionkey_key_free(w->key);
	world_end(&w->sender);
	return 0;
}

static void seal(struct world *w, enum envelope_sender_level level, enum envelope_mode mode,
	struct str text, struct buf *out)
{
	struct envelope_header h = world_header(level, mode);
	const struct secret k = {{9}};
	const struct envelope_target to = {
		.key = w->public_key, .epoch = 3, .name = STR("shop/own")};

	h.has_length = true;
	h.length = text.n;
	h.recipient_count = 1;
	assert_ok("wrap", envelope_recipient_wrap(w->sender.pre, &to, &k, &h.recipients[0], err));
	world_seal(&w->sender, h, &k, text, SIZE_MAX / 2, out);
}

static const struct {
	enum envelope_sender_level level;
	enum envelope_mode mode;
} forms[] = {
	{ENVELOPE_SENDER_NONE, ENVELOPE_WHOLE},
	{ENVELOPE_SENDER_NONE, ENVELOPE_STREAM},
	{ENVELOPE_SENDER_ORIGIN, ENVELOPE_WHOLE},
	{ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM},
	{ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE},
	{ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM},
};

static void senders_are_told(void **state)
{
	struct world *w = *state;
	const struct envelope_sender_cert *c = &w->sender.cert;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(1u << 16);
		struct functionkey_info info;
		struct functionkey_error why = {""};
		void *plaintext = NULL;
		size_t n = 0;
		memset(&info, 0x5a, sizeof(info));
		info.size = sizeof(info);
		seal(w, forms[i].level, forms[i].mode, STR("hello"), &out);
		if (functionkey_open(w->key, out.data, out.len, &plaintext, &n, &info, &why))
			fail_msg("form %zu: %s", i, why.message);
		assert_int_equal(n, 5);
		assert_memory_equal(plaintext, "hello", 5);
		functionkey_free(plaintext);
		assert_int_equal(info.sender_level, forms[i].level);
		assert_string_equal(info.name, "shop/own");
		const bool known = forms[i].level != ENVELOPE_SENDER_NONE;
		assert_string_equal(info.sender_pod, known ? "orders-6c9f7d5b8-m4zqh" : "");
		assert_string_equal(info.sender_function, known ? "orders" : "");
		assert_string_equal(info.sender_namespace, known ? "shop" : "");
		assert_string_equal(info.sender_revision, known ? "orders-6c9f7d5b8" : "");
		if (!known)
			continue;
		assert_memory_equal(info.sender_key, c->key.b, sizeof(info.sender_key));
		assert_memory_equal(info.sender_issuer, c->issuer.b, sizeof(info.sender_issuer));
		assert_memory_equal(info.sender_pod_uid, c->uid, sizeof(info.sender_pod_uid));
		assert_true(info.sender_epoch == 2 && info.sender_term == 7);
		assert_true(info.sender_not_before == c->nbf && info.sender_not_after == c->exp);
	}
}

/* A caller of the first header knows no senders; what is signed is verified all the same. */
static void older_callers_open_them_too(void **state)
{
	struct world *w = *state;
	_cleanup_(base_buf_done) struct buf out = base_buf(1u << 16);
	struct functionkey_info info;
	struct functionkey_error why = {""};
	void *plaintext = NULL;
	size_t n = 0;

	memset(&info, 0x5a, sizeof(info));
	info.size = offsetof(struct functionkey_info, sender_level);
	seal(w, ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE, STR("hello"), &out);
	assert_int_equal(
		functionkey_open(w->key, out.data, out.len, &plaintext, &n, &info, &why), 0);
	assert_int_equal(((uint8_t *)&info.sender_level)[0], 0x5a);
	functionkey_free(plaintext);
}

static void what_is_not_the_senders_is_refused(void **state)
{
	struct world *w = *state;
	struct sender_world *s = &w->sender;
	const struct secret sender = s->sender;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(1u << 16);
		struct functionkey_error why = {""};
		void *plaintext = NULL;
		size_t n = 0;
		s->sender = s->other;
		seal(w, forms[i].level, forms[i].mode, STR("hello"), &out);
		s->sender = sender;
		const int status =
			functionkey_open(w->key, out.data, out.len, &plaintext, &n, NULL, &why);
		assert_int_equal(status,
			forms[i].level == ENVELOPE_SENDER_NONE ? 0 : FUNCTIONKEY_E_TAMPERED);
		functionkey_free(plaintext);
	}
}

/* The most that is opened in hand is what it was, whatever the sender adds. */
static void bounds_are_those_of_the_plaintext(void **state)
{
	static char text[FUNCTIONKEY_MESSAGE_MAX + 1];
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(1u << 21);
		_cleanup_(base_buf_done) struct buf more = base_buf(1u << 21);
		struct functionkey_error why = {""};
		void *plaintext = NULL;
		size_t n = 0;
		seal(w, forms[i].level, forms[i].mode, base_str_n(text, sizeof(text) - 1), &out);
		assert_int_equal(
			functionkey_open(w->key, out.data, out.len, &plaintext, &n, NULL, &why), 0);
		assert_int_equal(n, sizeof(text) - 1);
		functionkey_free(plaintext);
		if (forms[i].mode == ENVELOPE_WHOLE)
			continue;
		seal(w, forms[i].level, forms[i].mode, base_str_n(text, sizeof(text)), &more);
		assert_int_equal(
			functionkey_open(w->key, more.data, more.len, &plaintext, &n, NULL, &why),
			FUNCTIONKEY_E_TOO_LARGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(senders_are_told),
		cmocka_unit_test(older_callers_open_them_too),
		cmocka_unit_test(what_is_not_the_senders_is_refused),
		cmocka_unit_test(bounds_are_those_of_the_plaintext),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
