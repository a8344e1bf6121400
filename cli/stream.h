/* What pods/exec sends over a WebSocket (v4.channel.k8s.io, v5.channel.k8s.io): messages of which
 * the first byte names a channel. Layer: cli, pure.
 *
 * Standard output and error are handed on as they come, in pieces of messages; the channel of
 * errors, on which the end of the command is told, is gathered. kubernetes.md; the protocol is that
 * of k8s.io/apimachinery/pkg/util/remotecommand.
 */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "pkg/base/buf.h"

#define CLI_STREAM_STATUS_MAX (64u << 10)

enum cli_stream_channel {
	CLI_STREAM_IN = 0,
	CLI_STREAM_OUT = 1,
	CLI_STREAM_ERR = 2,
	CLI_STREAM_END = 3,    /* a metav1.Status: how the command ended */
	CLI_STREAM_CLOSE = 255 /* v5: the channel that is named behind it has ended */
};

/* Takes bytes of CLI_STREAM_OUT or CLI_STREAM_ERR; below 0 ends the reading with that class. */
typedef int (*cli_stream_take)(
	void *ctx, enum cli_stream_channel channel, struct str bytes, struct err *err);

struct cli_stream {
	cli_stream_take take;
	void *ctx;
	bool inside;       /* a message has begun and not ended */
	bool named;        /* its channel is known */
	uint8_t channel;   /* of that message */
	struct buf status; /* what came on CLI_STREAM_END */
};

/* Reading begins. */
struct cli_stream cli_stream(cli_stream_take take, void *ctx);
void cli_stream_done(struct cli_stream *s);
CLEANUP_DONE(struct cli_stream, cli_stream_done);

/* A piece of a message, its first and last ones marked. INVALID: a channel that servers do not send
 * on, pieces in disorder; TOO_LARGE: more than CLI_STREAM_STATUS_MAX bytes of status; what take
 * returns. */
int cli_stream_add(struct cli_stream *s, struct str piece, bool first, bool last, struct err *err)
	must_check;

/* How the command ended, once the connection has: *ret_code is its exit status. TRANSIENT: nobody
 * said how, so what came is not complete; TERMINAL with the server's words: it was not run, or was
 * lost sight of; INVALID: what was said cannot be read. */
int cli_stream_end(const struct cli_stream *s, int *ret_code, struct err *err) must_check;

/* Whether all of the status has come, as far as can be told before the end of the connection. */
bool cli_stream_told(const struct cli_stream *s);

#endif
