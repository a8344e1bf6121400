#include "pkg/kube/transport.h"

#include "pkg/base/alloc.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define USER_TIMEOUT_MS 30000 /* unacknowledged bytes; also bounds keepalive */

struct kube_transport {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	unsigned *inside;
	kube_transfer_done done;
	kube_transfer_unwatched unwatched; /* NULL: nobody asks */
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* One socket of libcurl's that it wants to be woken for. */
struct watch {
	uv_poll_t poll;
	struct kube_transport *transport;
	curl_socket_t fd;
};

static void reap(struct kube_transport *t)
{
	CURLMsg *m = NULL;
	int left = 0;

	while (!t->closing && (m = curl_multi_info_read(t->multi, &left))) {
		void *owner = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		/* m is gone once the handle is removed. */
		const CURLcode code = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
		t->done(owner, code);
	}
}

static void act(struct kube_transport *t, curl_socket_t fd, int flags)
{
	int running = 0;

	if (t->closing)
		return;
	(*t->inside)++;
	(void)curl_multi_socket_action(t->multi, fd, flags, &running);
	(*t->inside)--;
	reap(t);
}

static void on_timer(uv_timer_t *timer)
{
	act(container_of(timer, struct kube_transport, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long ms, void *ctx)
{
	struct kube_transport *t = ctx;

	(void)multi;
	if (t->closing || ms < 0) {
		(void)uv_timer_stop(&t->timer);
		return 0;
	}
	/* The loop's idea of now may be as old as its last turn. */
	uv_update_time(t->loop);
	return uv_timer_start(&t->timer, on_timer, (uint64_t)ms, 0) == 0 ? 0 : -1;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	const struct watch *w = container_of(poll, struct watch, poll);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(w->transport, w->fd, flags);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = container_of((uv_poll_t *)(void *)handle, struct watch, poll);

	base_free(w);
}

static struct watch *watch_new(struct kube_transport *t, curl_socket_t fd)
{
	struct watch *w = base_alloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->transport = t;
	w->fd = fd;
	if (uv_poll_init_socket(t->loop, &w->poll, fd) != 0)
		w = base_free(w);
	return w;
}

static void tell_unwatched(const struct kube_transport *t, CURL *easy, curl_socket_t fd)
{
	void *owner = NULL;

	if (!t->unwatched || t->closing)
		return;
	/* libcurl closes old connections by a handle of its own, which has no owner. */
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
	if (owner)
		t->unwatched(owner, fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct kube_transport *t = ctx;
	struct watch *w = socket_ctx;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (w)
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		(void)curl_multi_assign(t->multi, fd, NULL);
		tell_unwatched(t, easy, fd);
		return 0;
	}
	if (!w) {
		w = watch_new(t, fd);
		if (!w)
			return -1;
		(void)curl_multi_assign(t->multi, fd, w);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&w->poll, events, on_ready) == 0 ? 0 : -1;
}

int kube_transport_new(uv_loop_t *loop, unsigned *inside, uint32_t keep, kube_transfer_done done,
	struct kube_transport **ret_transport, struct err *err)
{
	struct kube_transport *t = base_alloc(1, sizeof(*t));

	if (t)
		t->multi = curl_multi_init();
	if (!t || !t->multi) {
		base_free(t);
		return FAIL(err, ERR_NOMEM, "transport");
	}
	t->loop = loop;
	t->inside = inside;
	t->done = done;
	(void)uv_timer_init(loop, &t->timer);
	(void)curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	(void)curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	(void)curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	(void)curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)keep);
	(void)curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	*ret_transport = t;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_transport *t =
		container_of((uv_timer_t *)(void *)handle, struct kube_transport, timer);

	/* Not before: the caller may have closed us from inside one of libcurl's callbacks. */
	(void)curl_multi_cleanup(t->multi);
	if (t->closed)
		t->closed(t->closed_ctx);
	base_free(t);
}

void kube_transport_tell_unwatched(
	struct kube_transport *transport, kube_transfer_unwatched unwatched)
{
	transport->unwatched = unwatched;
}

void kube_transport_close(struct kube_transport *transport, void (*closed)(void *ctx), void *ctx)
{
	transport->closing = true;
	transport->closed = closed;
	transport->closed_ctx = ctx;
	uv_close((uv_handle_t *)&transport->timer, on_closed);
}

int kube_transport_add(struct kube_transport *transport, CURL *easy, struct err *err)
{
	base_assert(*transport->inside == 0);
	const CURLMcode code = curl_multi_add_handle(transport->multi, easy);
	if (code != CURLM_OK)
		return FAIL(err, code == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_BUG, "libcurl: %s",
			curl_multi_strerror(code));
	return 0;
}

void kube_transport_remove(struct kube_transport *transport, CURL *easy)
{
	base_assert(*transport->inside == 0);
	(void)curl_multi_remove_handle(transport->multi, easy);
}

int kube_transport_sockopt(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned user_timeout = USER_TIMEOUT_MS;
	const int probes = 3;

	(void)ctx;
	(void)purpose;
	/* Unix sockets and old kernels refuse: then the watchdogs above are all there is. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	return CURL_SOCKOPT_OK;
}
