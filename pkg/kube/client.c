#include "pkg/kube/client_impl.h"

#include "pkg/base/alloc.h"

#define RATE_MAX 100000

static const struct kube_client_options defaults = {
	.program = "kube-client",
	.rate = 50,
	.burst = 100,
	.connections = 8,
	.max_calls = 4096,
	.connect_ms = 10000,
};

/* Watches that end together are resumed on what they leave. */
#define WATCH_CONNECTIONS 16
#define LEASE_CONNECTIONS 2

/* Index 0: no answer; the last: a status that is not here. */
static const int stats_codes[] = {0, 200, 201, 202, 204, 400, 401, 403, 404, 405, 406, 409, 410,
	413, 415, 422, 429, 500, 502, 503, 504, -1};
static const char *const stats_names[] = {"0", "200", "201", "202", "204", "400", "401", "403",
	"404", "405", "406", "409", "410", "413", "415", "422", "429", "500", "502", "503", "504",
	"other"};
_Static_assert(ARRAY_LEN(stats_codes) <= KUBE_CODES, "a counter for each code");
_Static_assert(ARRAY_LEN(stats_codes) == ARRAY_LEN(stats_names), "a name for each code");

int64_t kube_client_now(const struct kube_client *client)
{
	return base_boot_ns(&client->env);
}

uv_loop_t *kube_client_loop(const struct kube_client *client)
{
	return client->loop;
}

const struct env *kube_client_env(const struct kube_client *client)
{
	return &client->env;
}

const struct kube_stats *kube_client_stats(const struct kube_client *client)
{
	return &client->stats;
}

const char *kube_stats_code(size_t index)
{
	return index < ARRAY_LEN(stats_names) ? stats_names[index] : NULL;
}

void kube_client_count(struct kube_client *client, const struct kube_request *request, int code)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(stats_codes) && stats_codes[i] != code)
		i++;
	client->stats.requests[request->class][request->verb][i]++;
}

void kube_client_set_write_guard(struct kube_client *client, kube_may_write may_write, void *ctx)
{
	client->may_write = may_write;
	client->guard_ctx = ctx;
}

void kube_client_recheck_writes(struct kube_client *client)
{
	client->recheck = true;
	kube_client_wake(client);
}

static void warn_once(struct kube_client *client, struct str text)
{
	uint64_t hash = 1469598103934665603u;
	uint64_t seen = client->stats.warnings;

	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 1099511628211u;
	for (uint64_t i = 0; i < seen; i++)
		if (client->warned[i] == hash)
			return;
	if (seen == KUBE_WARNINGS_MAX)
		return;
	client->warned[client->stats.warnings++] = hash;
	if (client->options.on_warning)
		client->options.on_warning(client->options.ctx, text);
}

/* 299 - "text", perhaps several with commas between them. */
void kube_client_warning(struct kube_client *client, struct str header)
{
	for (size_t from = base_str_find(header, '"', 0); from < header.n;) {
		size_t to = base_str_find(header, '"', from + 1);
		while (to < header.n && header.p[to - 1] == '\\')
			to = base_str_find(header, '"', to + 1);
		warn_once(client, base_str_sub(header, from + 1, to));
		from = base_str_find(header, '"', to + 1);
	}
}

void kube_client_wake(struct kube_client *client)
{
	if (!client->closing && !client->pumping)
		(void)uv_timer_start(&client->pump, kube_client_pump, 0, 0);
}

static void fill_defaults(struct kube_client_options *o)
{
	o->program = o->program ? o->program : defaults.program;
	o->rate = o->rate ? o->rate : defaults.rate;
	o->rate = o->rate < RATE_MAX ? o->rate : RATE_MAX;
	o->burst = o->burst ? o->burst : defaults.burst;
	o->connections = o->connections ? o->connections : defaults.connections;
	o->max_calls = o->max_calls ? o->max_calls : defaults.max_calls;
	o->connect_ms = o->connect_ms ? o->connect_ms : defaults.connect_ms;
}

static int make_user_agent(struct kube_client *c, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(256);

	TRY(base_buf_addf(&b, err, "%s (linux/amd64) kubernetes/unknown", c->options.program));
	c->user_agent = base_strndup((const char *)b.data, b.len);
	c->options.program = NULL;
	return c->user_agent ? 0 : FAIL(err, ERR_NOMEM, "client");
}

static void on_transport_closed(void *ctx)
{
	struct kube_client *c = ctx;

	if (--c->open)
		return;
	base_free(c->user_agent);
	base_free(c);
	curl_global_cleanup();
}

static void on_pump_closed(uv_handle_t *handle)
{
	struct kube_client *c =
		container_of((uv_timer_t *)(void *)handle, struct kube_client, pump);

	kube_client_bury(c);
	c->open = 1;
	for (size_t i = 0; i < KUBE_CLASS_COUNT; i++) {
		/* That of Leases is that of class API. */
		if (!c->transport[i] || i == KUBE_CLASS_LEASE)
			continue;
		c->open++;
		kube_transport_close(c->transport[i], on_transport_closed, c);
	}
	on_transport_closed(c);
}

static int make_transports(struct kube_client *c, struct err *err)
{
	const uint32_t keep = c->options.connections + LEASE_CONNECTIONS;

	TRY(kube_transport_new(c->loop, &c->inside, keep, kube_call_transferred,
		&c->transport[KUBE_CLASS_API], err));
	/* A Lease call takes a connection that is free, or makes one: it never waits. What it
	 * leaves serves the requests that follow from it. */
	c->transport[KUBE_CLASS_LEASE] = c->transport[KUBE_CLASS_API];
	return kube_transport_new(c->loop, &c->inside, WATCH_CONNECTIONS, kube_call_transferred,
		&c->transport[KUBE_CLASS_WATCH], err);
}

int kube_client_new(uv_loop_t *loop, const struct env *env, struct kube_config *config,
	const struct kube_client_options *options, struct kube_client **ret_client, struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return FAIL(err, ERR_NOMEM, "libcurl");
	struct kube_client *c = base_alloc(1, sizeof(*c));
	if (!c) {
		curl_global_cleanup();
		return FAIL(err, ERR_NOMEM, "client");
	}
	c->loop = loop;
	c->env = *env;
	c->config = config;
	c->options = options ? *options : defaults;
	fill_defaults(&c->options);
	c->tokens_milli = 1000LL * c->options.burst;
	c->tokens_ns = kube_client_now(c);
	for (size_t i = 0; i < KUBE_PLACE_COUNT; i++)
		TAILQ_INIT(&c->calls[i]);
	(void)uv_timer_init(loop, &c->pump);
	int r = make_user_agent(c, err);
	if (r == 0)
		r = make_transports(c, err);
	if (r < 0) {
		kube_client_free(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

struct kube_client *kube_client_free(struct kube_client *client)
{
	struct kube_call *call = NULL;

	if (!client || client->closing)
		return NULL;
	for (size_t i = 0; i < KUBE_PLACE_COUNT; i++)
		while (i != KUBE_PLACE_DEAD && (call = TAILQ_FIRST(&client->calls[i])))
			kube_cancel(call);
	client->closing = true;
	uv_close((uv_handle_t *)&client->pump, on_pump_closed);
	return NULL;
}
