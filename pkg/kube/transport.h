/* libcurl's multi handle on a libuv loop: one per class of requests. Layer: kube, internal.
 *
 * A transport owns its connections. Easy handles are the caller's; while `inside` is not 0 libcurl
 * is on the stack, and its multi functions must not be called: callers put off what they want.
 */
#ifndef KUBE_TRANSPORT_H
#define KUBE_TRANSPORT_H

#include "pkg/base/err.h"

#include <curl/curl.h>
#include <uv.h>

struct kube_transport;

/* A transfer ended. The easy handle is still in the multi handle. Called outside of libcurl. */
typedef void (*kube_transfer_done)(void *owner, CURLcode code);

/* A transfer that has not ended waits for its socket no more: it is paused, or has read all there
 * is while what it sends is paused, which libcurl itself notices no sooner than that goes on.
 * Called from within libcurl. */
typedef void (*kube_transfer_unwatched)(void *owner, curl_socket_t fd);

/* inside: counts libcurl on the stack, over all transports of a client; borrowed, outlives it.
 * keep: connections that stay open. */
int kube_transport_new(uv_loop_t *loop, unsigned *inside, uint32_t keep, kube_transfer_done done,
	struct kube_transport **ret_transport, struct err *err) must_check;

/* From now on unwatched is told, too. */
void kube_transport_tell_unwatched(
	struct kube_transport *transport, kube_transfer_unwatched unwatched);

/* Every easy handle was removed before. Closes all connections; memory goes, and closed (which may
 * be NULL) is called, when the loop has closed the handles. */
void kube_transport_close(struct kube_transport *transport, void (*closed)(void *ctx), void *ctx);

/* CURLOPT_PRIVATE of easy is the owner that done gets. Outside of libcurl only. */
int kube_transport_add(struct kube_transport *transport, CURL *easy, struct err *err) must_check;
void kube_transport_remove(struct kube_transport *transport, CURL *easy);

/* Options that make a socket notice a dead peer; goes into CURLOPT_SOCKOPTFUNCTION. */
int kube_transport_sockopt(void *ctx, curl_socket_t fd, curlsocktype purpose);

#endif
