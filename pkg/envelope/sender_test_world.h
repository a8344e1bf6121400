/* A leader that issues certificates, a sender that has one, and two recipients. Tests only. */
#ifndef ENVELOPE_SENDER_TEST_WORLD_H
#define ENVELOPE_SENDER_TEST_WORLD_H

#include "pkg/base/test.h"
#include "pkg/envelope/sender.h"
#include "pkg/pre/hold.h"

#define WORLD_NOW 1795000000

struct sender_world {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct secret leader, sender, other;
	struct pre_public_key leader_key, sender_key, other_key;
	struct envelope_sender_cert cert;
	struct buf bytes; /* cert, encoded */
};

static inline void world_issue(struct sender_world *w, const struct secret *leader)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);

	assert_ok("body", envelope_sender_cert_body(&w->cert, &body, err));
	assert_ok("sign", pre_sign(w->pre, leader, ENVELOPE_CERT_CONTEXT, base_buf_str(&body),
				  &w->cert.signature, err));
	base_buf_clear(&w->bytes);
	assert_ok("encode", envelope_sender_cert_encode(&w->cert, &w->bytes, err));
}

static inline void world_begin(struct sender_world *w)
{
	*w = (struct sender_world){.env = base_env_system(), .bytes = base_buf(ENVELOPE_CERT_MAX)};
	assert_ok("world", envelope_context_new(&w->env, &w->ctx, err));
	assert_ok("world", pre_context_new(&w->env, &w->pre, err));
	assert_ok("world", pre_keygen(w->pre, &w->leader, &w->leader_key, err));
	assert_ok("world", pre_keygen(w->pre, &w->sender, &w->sender_key, err));
	assert_ok("world", pre_keygen(w->pre, &w->other, &w->other_key, err));
	w->cert = (struct envelope_sender_cert){
		.cluster = STR("6f1c0f9e-6f44-4f5c-9a53-2d3b0b6a1a11"),
		.ns = STR("shop"),
		.function = STR("orders"),
		.revision = STR("orders-6c9f7d5b8"),
		.pod = STR("orders-6c9f7d5b8-m4zqh"),
		.uid = {0x3f, 0x9a, 0x1c, 0x07},
		.key = w->sender_key,
		.epoch = 2,
		.term = 7,
		.nbf = WORLD_NOW - 600,
		.exp = WORLD_NOW + 3600,
		.issuer = w->leader_key,
	};
	world_issue(w, &w->leader);
}

static inline void world_end(struct sender_world *w)
{
	w->ctx = envelope_context_free(w->ctx);
	w->pre = pre_context_free(w->pre);
	base_buf_done(&w->bytes);
	assert_int_equal(base_alloc_live(), 0);
}

#endif
