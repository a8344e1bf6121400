/* A peer may answer before it has the whole request, and take no more of it: a refusal, or an
 * answer that closes the connection. Where the request's body waits for input then, libcurl has
 * read all of the answer and looks at the transfer no sooner than the body goes on. */
#include "pkg/http/client_impl.h"

#include <errno.h>
#include <sys/socket.h>

static bool has_closed(curl_socket_t fd)
{
	uint8_t byte = 0;
	const ssize_t n = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Outside of libcurl: it finds the answer complete, or cut, and does not ask for more of the body
 * where the answer was a last one. */
static void on_early(uv_timer_t *early)
{
	struct http_client *client = container_of(early, struct http_client, early);
	struct http_call *call = NULL;

	while ((call = LIST_FIRST(&client->over))) {
		http_early_forget(call);
		http_call_resume(call);
	}
}

void http_early_unwatched(void *owner, curl_socket_t fd)
{
	struct http_call *call = owner;

	if (!call->ops || !call->send_paused || call->receive_paused || call->told)
		return;
	call->gone = has_closed(fd);
	if (!call->last && !call->gone)
		return;
	call->told = true;
	call->awaiting = true;
	LIST_INSERT_HEAD(&call->client->over, call, link);
	(void)uv_timer_start(&call->client->early, on_early, 0, 0);
}

void http_early_forget(struct http_call *call)
{
	if (call->awaiting)
		LIST_REMOVE(call, link);
	call->awaiting = false;
}

void http_early_open(uv_loop_t *loop, struct http_client *client)
{
	LIST_INIT(&client->over);
	(void)uv_timer_init(loop, &client->early);
}

void http_early_close(struct http_client *client, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&client->early, closed);
}
