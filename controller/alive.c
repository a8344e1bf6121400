#include "controller/alive.h"

#include "crds/endpoint.h"
#include "pkg/base/alloc.h"

#define ENDPOINT_MAX 300
#define REQUEST      "GET /v1/alive HTTP/1.1\r\nHost: agent\r\n\r\n"
#define READ_MAX     512

struct controller_watchdog {
	struct controller_core *core;
	void (*changed)(void *ctx);
	void *ctx;
	char endpoint[ENDPOINT_MAX + 1];
	int64_t term;
	enum controller_alive state;
	bool held; /* in this term */
	unsigned refusals;
	uint64_t held_ms; /* of the loop's clock: since when, or when last */
	uv_timer_t timer;
	struct connection *connection;
	bool closing;
};

/* A handle of libuv outlives whoever asked for it until its close callback. */
struct connection {
	struct controller_watchdog *dog; /* NULL: given up */
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	char request[sizeof(REQUEST)];
	char buffer[READ_MAX];
};

static void set_state(struct controller_watchdog *dog, enum controller_alive state)
{
	if (dog->state == state)
		return;
	dog->state = state;
	dog->changed(dog->ctx);
}

static void connection_closed(uv_handle_t *handle)
{
	base_free(container_of(handle, struct connection, tcp));
}

static void give_up(struct controller_watchdog *dog)
{
	struct connection *c = dog->connection;

	if (!c)
		return;
	dog->connection = NULL;
	c->dog = NULL;
	uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

static void try_again(uv_timer_t *timer);

/* Quick only after a connection was held: else nobody waits for the answer. Who closes what has
 * just begun does not make us call again and again. */
static uint64_t pause_ms(const struct controller_watchdog *dog, int status)
{
	const bool cut = status == UV_EOF || status == UV_ECONNRESET;

	if (!dog->held || dog->refusals >= CONTROLLER_REFUSALS ||
		(!cut && status != UV_ECONNREFUSED))
		return CONTROLLER_RETRY_MS;
	if (!cut)
		return CONTROLLER_REFUSAL_MS;
	return uv_now(dog->core->loop) - dog->held_ms >= CONTROLLER_HELD_MS ? 0 : CONTROLLER_CUT_MS;
}

static void lost(struct controller_watchdog *dog, int status)
{
	give_up(dog);
	dog->refusals = status == UV_ECONNREFUSED ? dog->refusals + 1 : 0;
	if (dog->held && dog->refusals >= CONTROLLER_REFUSALS)
		set_state(dog, CONTROLLER_ALIVE_REFUSED);
	else if (dog->state == CONTROLLER_ALIVE_HELD)
		dog->state = CONTROLLER_ALIVE_UNKNOWN;
	(void)uv_timer_start(&dog->timer, try_again, pause_ms(dog, status), 0);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *c = container_of(handle, struct connection, tcp);

	(void)suggested;
	*buf = uv_buf_init(c->buffer, sizeof(c->buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = container_of(stream, struct connection, tcp);

	(void)buf;
	if (!c->dog)
		return;
	if (n < 0) {
		lost(c->dog, (int)n);
	} else if (n > 0) {
		if (c->dog->state != CONTROLLER_ALIVE_HELD)
			c->dog->held_ms = uv_now(c->dog->core->loop);
		c->dog->held = true;
		c->dog->refusals = 0;
		set_state(c->dog, CONTROLLER_ALIVE_HELD);
	}
}

static void on_written(uv_write_t *write, int status)
{
	(void)write;
	(void)status; /* a failure shows when reading */
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct connection *c = container_of(connect, struct connection, connect);
	uv_buf_t buf = uv_buf_init(c->request, sizeof(c->request) - 1);

	if (!c->dog)
		return;
	if (status < 0) {
		lost(c->dog, status);
		return;
	}
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0 ||
		uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read) < 0)
		lost(c->dog, UV_EIO);
}

static void try_again(uv_timer_t *timer)
{
	struct controller_watchdog *dog = timer->data;
	struct sockaddr_storage address = {0};

	if (dog->closing || dog->connection || !dog->endpoint[0] ||
		crds_endpoint_parse(base_str(dog->endpoint), &address, NULL) < 0)
		return;
	struct connection *c = base_alloc(1, sizeof(*c));
	if (!c || uv_tcp_init(dog->core->loop, &c->tcp) != 0) {
		base_free(c);
		(void)uv_timer_start(&dog->timer, try_again, CONTROLLER_RETRY_MS, 0);
		return;
	}
	c->dog = dog;
	memcpy(c->request, REQUEST, sizeof(REQUEST));
	dog->connection = c;
	(void)uv_tcp_keepalive(&c->tcp, 1, 15);
	const int r =
		uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&address, on_connect);
	if (r < 0)
		lost(dog, r);
}

int controller_watchdog_new(struct controller_core *core, void (*changed)(void *ctx), void *ctx,
	struct controller_watchdog **ret_dog, struct err *err)
{
	struct controller_watchdog *dog = base_alloc(1, sizeof(*dog));

	if (!dog)
		return FAIL(err, ERR_NOMEM, "watchdog");
	dog->core = core;
	dog->changed = changed;
	dog->ctx = ctx;
	if (uv_timer_init(core->loop, &dog->timer) != 0) {
		base_free(dog);
		return FAIL(err, ERR_TERMINAL, "timer");
	}
	dog->timer.data = dog;
	*ret_dog = dog;
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct controller_watchdog *controller_watchdog_free(struct controller_watchdog *dog)
{
	if (!dog)
		return NULL;
	dog->closing = true;
	give_up(dog);
	uv_close((uv_handle_t *)&dog->timer, timer_closed);
	return NULL;
}

void controller_watchdog_set(struct controller_watchdog *dog, struct str endpoint, int64_t term)
{
	if (dog->term == term && base_str_eq(base_str(dog->endpoint), endpoint))
		return;
	give_up(dog);
	if (base_str_copy(endpoint, dog->endpoint, sizeof(dog->endpoint), "endpoint", NULL) < 0)
		dog->endpoint[0] = 0;
	dog->term = term;
	dog->held = false;
	dog->refusals = 0;
	dog->state = CONTROLLER_ALIVE_UNKNOWN;
	(void)uv_timer_start(&dog->timer, try_again, 0, 0);
}

enum controller_alive controller_watchdog_state(const struct controller_watchdog *dog)
{
	return dog->state;
}
