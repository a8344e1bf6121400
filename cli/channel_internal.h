/* Between the files of the channel: the way to the API server, and why it refused. Layer: cli,
 * internal.
 */
#ifndef CLI_CHANNEL_INTERNAL_H
#define CLI_CHANNEL_INTERNAL_H

#include "cli/channel.h"

#include <openssl/ssl.h>

/* Where and as whom; owned. */
struct cli_channel_way {
	struct arena *arena;     /* of the texts below */
	const char *host, *name; /* to connect to; the Host header */
	char verify[256];        /* name or address that the certificate has to have */
	const char *path, *server;
	int port, flags; /* flags of libwebsockets */
	bool insecure;   /* the server is not verified */
	struct buf authorization_text;
	struct str authorization; /* of authorization_text; empty: no token */
	SSL_CTX *tls;             /* NULL: plain HTTP */
};

/* From the session's configuration; may run a plugin. INVALID: a proxy is configured; an address, a
 * certificate or key that is none. DENIED, NOMEM. */
int cli_channel_find_way(struct cli_session *s, const struct cli_channel *request,
	struct cli_channel_way *ret_way, struct err *err) must_check;
/* Wipes the token. Fine on a zeroed struct. */
void cli_channel_way_done(struct cli_channel_way *way);
CLEANUP_DONE(struct cli_channel_way, cli_channel_way_done);

/* Whether the server at the other end has shown who it is; else *err says why not. */
bool cli_channel_verified(const struct cli_channel_way *way, SSL *ssl, struct err *err);

/* The API server answered the upgrade with this HTTP status: asks the same without one, for its
 * reason, and says it. Always a negative class. */
int cli_channel_explain(struct cli_session *s, const struct cli_channel *request, unsigned status,
	struct err *err) must_check;

#endif
