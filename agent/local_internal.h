/* Inside of the local face. Included by agent/local*.c only. Layer: agent. */
#ifndef AGENT_LOCAL_INTERNAL_H
#define AGENT_LOCAL_INTERNAL_H

#include "agent/decrypt.h"
#include "agent/local.h"

#include <sys/queue.h>

/* A request that waits for the keeper's counters, for keys, or for the end of a drain. */
struct agent_asking {
	struct agent_local_face *face;
	struct http_request *r; /* NULL: it is gone */
	int (*write)(struct agent_app *app, const struct kmsg_stats_reply *keeper, struct buf *out,
		struct err *err);
	const char *type;
	bool in_keeper; /* the keeper's answer needs this memory */
	bool draining;  /* it stands in the list */
	struct agent_senders_waiter waiter;
	LIST_ENTRY(agent_asking) link;
};

#define AGENT_LOCAL_ROUTES 12

struct agent_local_face {
	struct agent_app *app;
	struct http_route socket_routes[AGENT_LOCAL_ROUTES], loopback_routes[AGENT_LOCAL_ROUTES];
	char loopback_address[64];
	struct http_server *socket, *loopback;
	struct http_route scrape_route;
	struct http_server *scrape; /* NULL: not asked for, or its port is taken */
	uv_timer_t scrape_again;    /* until there is one */
	bool scrape_open, scrape_told;
	bool drained;
	LIST_HEAD(, agent_asking) draining;
};

/* -- local_scrape.c -- */
/* Serves /metrics on the pod's address, if that was asked for. A port that somebody has already is
 * logged, and tried again. TERMINAL. */
int agent_scrape_listen(struct agent_local_face *f, struct err *err) must_check;

/* -- local_info.c; ctx is the face -- */
extern const struct http_ops agent_scrape_ops; /* as agent_metrics_ops, for whoever asks */
extern const struct http_ops agent_status_ops, agent_metrics_ops; /* they ask the keeper */
extern const struct http_ops agent_keys_ops, agent_function_keys_ops;
extern const struct http_ops agent_ready_ops, agent_health_ops;
extern const struct http_ops agent_drain_ops;

#endif
