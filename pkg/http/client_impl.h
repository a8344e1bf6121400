/* Inside of the client. Included by pkg/http/client*.c only. Layer: http.
 *
 *	client.c       calls that run, and what libcurl asks
 *	client_make.c  calls that have not begun: options, headers; their start
 *	client_early.c answers that end before the request does
 */
#ifndef HTTP_CLIENT_IMPL_H
#define HTTP_CLIENT_IMPL_H

#include "pkg/http/client.h"
#include "pkg/kube/transport.h"

#include <sys/queue.h>

#define HTTP_LINE_MAX 8192 /* bytes of a header line, either way */

struct http_client {
	struct kube_transport *transport;
	unsigned inside; /* libcurl on the stack */
	uv_timer_t early;
	LIST_HEAD(http_calls, http_call) over; /* calls that shall be looked at once more */
};

struct http_call {
	struct http_client *client;
	const struct http_call_ops *ops; /* NULL: freed by its owner */
	void *ctx;
	CURL *easy;
	struct curl_slist *headers, *trailers, *connect_to;
	char *url;
	bool running, resuming, headed, has_body, has_length;
	bool send_paused, receive_paused;
	bool closes;   /* the answer said that its connection does */
	bool last;     /* it is one after which the peer takes no more of the request */
	bool gone;     /* the peer has closed before libcurl was done */
	bool told;     /* it was looked at once more */
	bool awaiting; /* that: it is in the client's list */
	LIST_ENTRY(http_call) link;
	unsigned busy; /* callbacks of ours on the stack */
	unsigned lengths;
	struct err why; /* class 0: nothing of ours ended it */
	char text[CURL_ERROR_SIZE];
};

/* client.c: libcurl's callbacks. */
size_t http_call_on_send(char *to, size_t size, size_t n, void *ctx);
int http_call_on_seek(void *ctx, curl_off_t offset, int origin);
int http_call_on_trailers(struct curl_slist **list, void *ctx);
size_t http_call_on_header(char *p, size_t size, size_t n, void *ctx);
size_t http_call_on_receive(char *p, size_t size, size_t n, void *ctx);

/* client_early.c: what kube_transport tells; and that a call is freed, or its client. closed, with
 * the client, follows from the loop. */
void http_early_unwatched(void *owner, curl_socket_t fd);
void http_early_forget(struct http_call *call);
void http_early_open(uv_loop_t *loop, struct http_client *client);
void http_early_close(struct http_client *client, uv_close_cb closed);

#endif
