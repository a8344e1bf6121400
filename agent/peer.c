#include "agent/peer.h"

#include "agent/answer.h"
#include "agent/keeperlink.h"
#include "crds/endpoint.h"
#include "pkg/base/alloc.h"
#include "pkg/base/arena.h"
#include "pkg/base/text.h"
#include "pkg/http/http.h"
#include "pkg/kube/json.h"
#include "pkg/kube/patch.h"

#include <sys/queue.h>

#define CONNECTIONS        64
#define CONNECTIONS_A_PEER 8
#define REQUESTS_A_SECOND  50
#define KICK_MAX           2048
#define RECORD_MAX         4096
#define BEAT_MS            10000
#define JSON               "application/json"
#define ROUTES             3

/* The record that /v1/key serves: signed again when it changes. */
struct record {
	int64_t epoch, term; /* 0: none signed */
	struct crds_point key;
	struct kmsg_signature signature;
};

/* A request that is not answered yet: for the keeper's signature, or held open for good. */
struct asking {
	struct agent_peer_face *face;
	struct http_request *r; /* NULL: it is gone */
	bool in_keeper;
	bool alive;           /* held open, and in the list */
	struct buf body;      /* of a kick */
	struct record wanted; /* what the keeper signs */
	LIST_ENTRY(asking) link;
};

struct agent_peer_face {
	struct agent_app *app;
	struct http_server *server;
	struct http_route routes[ROUTES];
	char address[64];
	struct record record;
	LIST_HEAD(, asking) alive;
	uv_timer_t beat;
	bool beat_open;
};

static int asking_new(
	struct agent_peer_face *f, struct http_request *r, struct asking **ret_a, struct err *err)
{
	struct asking *a = base_alloc(1, sizeof(*a));

	if (!a)
		return FAIL(err, ERR_NOMEM, "request");
	a->face = f;
	a->r = r;
	a->body = base_buf(KICK_MAX);
	http_set_state(r, a);
	*ret_a = a;
	return 0;
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct asking *a = http_state(r);

	(void)ctx;
	if (!a)
		return;
	a->r = NULL;
	if (a->alive)
		LIST_REMOVE(a, link);
	base_buf_done(&a->body);
	if (!a->in_keeper)
		base_free(a);
}

/* -- kick -- */

static int parse_kick(struct str json, struct arena *arena, struct str *ret_name, struct err *err)
{
	struct kube_json r;
	struct str key = STR_NULL, name = STR_NULL, version = STR_NULL;
	bool more = true;

	TRY(kube_json_init(&r, json, err));
	TRY(kube_json_object_begin(&r, err));
	for (;;) {
		TRY(kube_json_next_key(&r, &key, &more, err));
		if (!more)
			break;
		if (base_str_eq(key, STR("name")))
			TRY(kube_json_string(&r, arena, &name, err));
		else if (base_str_eq(key, STR("resourceVersion")))
			TRY(kube_json_string(&r, arena, &version, err));
		else
			TRY(kube_json_skip(&r, err));
	}
	TRY(kube_json_end(&r, err));
	if (name.n == 0 || name.n >= CRDS_NAME_MAX)
		return FAIL(err, ERR_INVALID, "no name");
	*ret_name = name;
	return 0;
}

static int kick_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct asking *a = NULL;

	return asking_new(ctx, r, &a, err);
}

static int kick_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	struct asking *a = http_state(r);

	(void)ctx;
	(void)ret_taken;
	return base_buf_add(&a->body, p, n, err);
}

static int kick_end(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_peer_face *f = ctx;
	const struct asking *a = http_state(r);
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	struct str name = STR_NULL;
	struct err why = {0};

	TRY(base_arena_new(KICK_MAX * 2, &arena, err));
	if (parse_kick(base_buf_str(&a->body), arena, &name, &why) < 0) {
		(void)REFUSE_AS(&why, MALFORMED, "a kick is {\"name\", \"resourceVersion\"}");
		agent_answer_problem(r, &why);
		return 0;
	}
	agent_metrics_kicked(f->app->metrics);
	if (f->app->replica)
		agent_replica_kicked(f->app->replica, name);
	http_reply(r, 204, NULL, STR_NULL);
	return 0;
}
static const struct http_ops kick_ops = {
	.begin = kick_begin, .body = kick_body, .end = kick_end, .gone = on_gone};

/* -- the signed record -- */

static int write_hex(
	struct kube_writer *w, const char *name, const uint8_t *p, size_t n, struct err *err)
{
	char hex[2 * 64 + 1];

	base_assert(n <= 64);
	base_hex(p, n, hex);
	return kube_write_key_text(w, name, base_str(hex), err);
}

static int write_record(struct agent_peer_face *f, const struct crds_functionkey *leader,
	const struct crds_key *key, struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "namespace", leader->ns, err));
	TRY(kube_write_key_text(&w, "function", leader->function, err));
	TRY(kube_write_key_text(&w, "revision", leader->revision, err));
	TRY(kube_write_key_text(&w, "scheme", leader->scheme, err));
	TRY(kube_write_key_int(&w, "epoch", key->epoch, err));
	TRY(kube_write_key_int(&w, "term", leader->leader.term, err));
	TRY(write_hex(&w, "publicKey", key->key.b, sizeof(key->key.b), err));
	TRY(write_hex(&w, "fingerprint", key->fingerprint.b, sizeof(key->fingerprint.b), err));
	TRY(write_hex(&w, "continuityKey", key->continuity.b, sizeof(key->continuity.b), err));
	TRY(write_hex(&w, "identityKey", leader->leader.identity.b,
		sizeof(leader->leader.identity.b), err));
	TRY(write_hex(&w, "signature", f->record.signature.b, sizeof(f->record.signature.b), err));
	return kube_write_end(&w, err);
}

/* The Active key, if we lead and may speak for it. */
static int find_record(struct agent_peer_face *f, const struct crds_functionkey **ret_leader,
	const struct crds_key **ret_key, struct err *err)
{
	const struct crds_functionkey *leader =
		f->app->replica ? agent_replica_record(f->app->replica) : NULL;
	const struct crds_key *key = leader ? crds_key_active(leader) : NULL;

	if (!leader || !agent_replica_leading(f->app->replica))
		return REFUSE_AS(err, NOT_READY, "this replica does not lead");
	if (!key)
		return REFUSE_AS(err, NOT_READY, "no key is active yet");
	*ret_leader = leader;
	*ret_key = key;
	return 0;
}

static bool is_signed(
	const struct record *r, const struct crds_functionkey *leader, const struct crds_key *key)
{
	return r->epoch == key->epoch && r->term == leader->leader.term &&
	       memcmp(r->key.b, key->key.b, sizeof(r->key.b)) == 0;
}

static void answer_key(struct asking *a)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(RECORD_MAX);
	const struct crds_functionkey *leader = NULL;
	const struct crds_key *key = NULL;
	struct err err = {0};
	int r = find_record(a->face, &leader, &key, &err);

	if (r == 0 && !is_signed(&a->face->record, leader, key))
		r = REFUSE_AS(&err, NOT_READY, "the key has just changed");
	if (r == 0)
		r = write_record(a->face, leader, key, &out, &err);
	if (r < 0)
		agent_answer_problem(a->r, &err);
	else
		http_reply_take(a->r, 200, JSON, &out);
}

static void got_signature(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct asking *a = ctx;

	a->in_keeper = false;
	if (!err) {
		a->face->record = a->wanted;
		a->face->record.signature = reply->record.signature;
	}
	if (a->r)
		answer_key(a);
	else
		base_free(a);
}

static int key_end(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_peer_face *f = ctx;
	const struct crds_functionkey *leader = NULL;
	const struct crds_key *key = NULL;
	struct asking *a = NULL;
	struct err why = {0};

	TRY(asking_new(f, r, &a, err));
	if (find_record(f, &leader, &key, &why) < 0 || is_signed(&f->record, leader, key)) {
		answer_key(a);
		return 0;
	}
	struct kmsg_request request = {
		.op = KMSG_RECORD, .record = {.epoch = key->epoch, .term = leader->leader.term}};
	memcpy(request.record.key.b, key->key.b, sizeof(request.record.key.b));
	a->wanted =
		(struct record){.epoch = key->epoch, .term = leader->leader.term, .key = key->key};
	if (agent_keeper_request(f->app->core.keeper, &request, got_signature, a, NULL) == 0)
		a->in_keeper = true;
	else
		answer_key(a);
	return 0;
}
static const struct http_ops key_ops = {.end = key_end, .gone = on_gone};

/* -- alive -- */

static void beat(uv_timer_t *timer)
{
	struct agent_peer_face *f = timer->data;
	struct asking *a = NULL, *next = NULL;

	for (a = LIST_FIRST(&f->alive); a; a = next) {
		size_t taken = 0;
		next = LIST_NEXT(a, link);
		if (http_stream_write(a->r, "\n", 1, &taken, NULL) < 0 || taken == 0)
			http_abort(a->r);
	}
	if (LIST_EMPTY(&f->alive))
		(void)uv_timer_stop(&f->beat);
}

static int alive_end(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_peer_face *f = ctx;
	struct asking *a = NULL;
	size_t taken = 0;

	TRY(asking_new(f, r, &a, err));
	TRY(http_stream_begin(r, 200, "text/plain", err));
	TRY(http_stream_write(r, "\n", 1, &taken, err));
	a->alive = true;
	if (LIST_EMPTY(&f->alive))
		(void)uv_timer_start(&f->beat, beat, BEAT_MS, BEAT_MS);
	LIST_INSERT_HEAD(&f->alive, a, link);
	return 0;
}
static const struct http_ops alive_ops = {.end = alive_end, .gone = on_gone};

/* -- life -- */

static int listen_peer(struct agent_peer_face *f, struct err *err)
{
	struct agent_app *app = f->app;
	struct str host = STR_NULL;
	struct http_config config = {.name = "peer",
		.loop = app->core.loop,
		.clock = app->core.env.clock,
		.metrics = agent_metrics_registry(app->metrics),
		.routes = f->routes,
		.routes_n = ROUTES,
		.address = f->address,
		.listen_fd = (int)app->options.peer_fd,
		.limits = {.connections = CONNECTIONS,
			.connections_per_source = CONNECTIONS_A_PEER,
			.requests_per_second = REQUESTS_A_SECOND}};

	TRY(crds_endpoint_split(base_str(app->options.peer_address), &host, &config.port, err));
	TRY(base_str_copy(host, f->address, sizeof(f->address), "address", err));
	f->routes[0] = (struct http_route){"POST", "/v1/kick", &kick_ops, f, KICK_MAX, 0};
	f->routes[1] = (struct http_route){"GET", "/v1/key", &key_ops, f, 0, 0};
	f->routes[2] = (struct http_route){"GET", "/v1/alive", &alive_ops, f, 0, HTTP_LONG};
	return http_server_new(&config, &f->server, err);
}

int agent_peer_new(struct agent_app *app, struct agent_peer_face **ret_face, struct err *err)
{
	_cleanup_(agent_peer_free) struct agent_peer_face *f = base_alloc(1, sizeof(*f));

	if (!f)
		return FAIL(err, ERR_NOMEM, "peer port");
	f->app = app;
	LIST_INIT(&f->alive);
	if (uv_timer_init(app->core.loop, &f->beat) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	f->beat.data = f;
	f->beat_open = true;
	TRY(listen_peer(f, err));
	*ret_face = STEAL(f);
	return 0;
}

static void beat_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct agent_peer_face *agent_peer_free(struct agent_peer_face *face)
{
	if (!face)
		return NULL;
	face->server = http_server_free(face->server);
	if (!face->beat_open)
		return base_free(face);
	uv_close((uv_handle_t *)&face->beat, beat_closed);
	return NULL;
}
