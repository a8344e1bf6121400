#include "agent/kick.h"

#include "crds/endpoint.h"
#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

#include <stdio.h>

#define REQUEST_MAX 1536

struct kick {
	struct agent_kicks *owner; /* NULL: it is gone */
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	int open; /* handles */
	bool closing, answered;
	struct buf request;
	char answer[256];
};

struct agent_kicks {
	struct agent_core *core;
	struct kick *under_way[AGENT_KICKS_AT_ONCE];
	int64_t filled_ns; /* of the bucket */
	int64_t tokens;
	struct agent_kick_stats stats;
};

int agent_kicks_new(struct agent_core *core, struct agent_kicks **ret_kicks, struct err *err)
{
	struct agent_kicks *k = base_alloc(1, sizeof(*k));

	if (!k)
		return FAIL(err, ERR_NOMEM, "kicks");
	k->core = core;
	k->tokens = AGENT_KICKS_A_SECOND;
	k->filled_ns = base_boot_ns(&core->env);
	*ret_kicks = k;
	return 0;
}

struct agent_kick_stats agent_kicks_stats(const struct agent_kicks *k)
{
	return k->stats;
}

/* -- one kick -- */

static void handle_closed(uv_handle_t *handle)
{
	struct kick *k = handle->data;

	if (--k->open > 0)
		return;
	base_buf_done(&k->request);
	base_free(k);
}

static void end(struct kick *k)
{
	if (k->closing)
		return;
	k->closing = true;
	for (size_t i = 0; k->owner && i < AGENT_KICKS_AT_ONCE; i++)
		if (k->owner->under_way[i] == k)
			k->owner->under_way[i] = NULL;
	if (k->owner) {
		k->owner->stats.answered += k->answered;
		k->owner->stats.failed += !k->answered;
	}
	uv_close((uv_handle_t *)&k->tcp, handle_closed);
	uv_close((uv_handle_t *)&k->timer, handle_closed);
}

static void too_late(uv_timer_t *timer)
{
	end(timer->data);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct kick *k = handle->data;

	(void)suggested;
	*ret = uv_buf_init(k->answer, sizeof(k->answer));
}

/* The first bytes are enough: it was taken. */
static void got_answer(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct kick *k = stream->data;

	(void)bytes;
	if (n == 0)
		return;
	k->answered = n > 0;
	end(k);
}

static void written(uv_write_t *write, int status)
{
	struct kick *k = write->handle->data;

	if (!k->closing &&
		(status < 0 || uv_read_start((uv_stream_t *)&k->tcp, give_room, got_answer) < 0))
		end(k);
}

static void connected(uv_connect_t *connect, int status)
{
	struct kick *k = connect->handle->data;
	uv_buf_t bytes = uv_buf_init((char *)k->request.data, (unsigned)k->request.len);

	if (k->closing)
		return;
	if (status < 0 || uv_write(&k->write, (uv_stream_t *)&k->tcp, &bytes, 1, written) < 0)
		end(k);
}

static int request_add(
	struct buf *b, struct str endpoint, struct str name, struct str rv, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(REQUEST_MAX / 2);
	struct kube_writer w = kube_writer(&body);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "name", name, err));
	TRY(kube_write_key_text(&w, "resourceVersion", rv, err));
	TRY(kube_write_end(&w, err));
	TRY(base_buf_addf(b, err,
		"POST /v1/kick HTTP/1.1\r\nHost: %.*s\r\nContent-Type: application/json\r\n"
		"Connection: close\r\nContent-Length: %zu\r\n\r\n",
		STR_FMT(endpoint), body.len));
	return base_buf_add(b, body.data, body.len, err);
}

static struct kick *kick_new(struct agent_kicks *owner)
{
	struct kick *k = base_alloc(1, sizeof(*k));

	if (!k)
		return NULL;
	if (uv_tcp_init(owner->core->loop, &k->tcp) != 0)
		return base_free(k);
	(void)uv_timer_init(owner->core->loop, &k->timer);
	k->tcp.data = k;
	k->timer.data = k;
	k->open = 2;
	k->owner = owner;
	k->request = base_buf(REQUEST_MAX);
	return k;
}

static struct kick **free_place(struct agent_kicks *kicks)
{
	const int64_t now = base_boot_ns(&kicks->core->env);
	const int64_t fresh = (now - kicks->filled_ns) * AGENT_KICKS_A_SECOND / NS_PER_S;

	if (fresh > 0) {
		kicks->filled_ns = now;
		kicks->tokens = kicks->tokens + fresh < AGENT_KICKS_A_SECOND ? kicks->tokens + fresh
									     : AGENT_KICKS_A_SECOND;
	}
	for (size_t i = 0; kicks->tokens > 0 && i < AGENT_KICKS_AT_ONCE; i++)
		if (!kicks->under_way[i])
			return &kicks->under_way[i];
	return NULL;
}

void agent_kick_send(
	struct agent_core *core, struct str endpoint, struct str member_name, struct str rv)
{
	struct agent_kicks *kicks = core->kicks;
	struct sockaddr_storage addr;

	if (!kicks || crds_endpoint_parse(endpoint, &addr, NULL) < 0)
		return;
	struct kick **place = free_place(kicks);
	struct kick *k = place ? kick_new(kicks) : NULL;
	if (!k) {
		kicks->stats.dropped++;
		return;
	}
	kicks->tokens--;
	kicks->stats.sent++;
	*place = k;
	if (request_add(&k->request, endpoint, member_name, rv, NULL) < 0 ||
		uv_timer_start(&k->timer, too_late, AGENT_KICK_MS, 0) != 0 ||
		uv_tcp_connect(&k->connect, &k->tcp, (const struct sockaddr *)&addr, connected) !=
			0)
		end(k);
}

struct agent_kicks *agent_kicks_free(struct agent_kicks *k)
{
	if (!k)
		return NULL;
	for (size_t i = 0; i < AGENT_KICKS_AT_ONCE; i++) {
		struct kick *one = k->under_way[i];
		if (!one)
			continue;
		one->owner = NULL;
		end(one);
	}
	return base_free(k);
}
