/* A command in a container of a pod, through the API server's WebSockets (pods/exec). Layer: cli
 * (libwebsockets and OpenSSL on the session's loop).
 *
 * v5.channel.k8s.io, which API servers speak since Kubernetes 1.30. An older one may offer v4, in
 * which the end of standard input cannot be told: it is taken where there is none, else refused.
 * As the kubeconfig says: authority, client certificate, token, plugin, tls-server-name,
 * insecure-skip-tls-verify. Proxies are not supported; redirects are not followed.
 *
 * One piece of standard input is in hand at a time; what the command prints is handed on as it
 * comes, and whoever takes it slowly slows the command.
 */
#ifndef CLI_CHANNEL_H
#define CLI_CHANNEL_H

#include "cli/session.h"
#include "cli/stream.h"

#define CLI_CHANNEL_WORDS_MAX 8

struct cli_channel {
	struct str ns, pod, container;
	const char *words[CLI_CHANNEL_WORDS_MAX]; /* the command; NULL ends it */
	struct str before;                        /* goes to standard input first */
	int in; /* then this file; -1: the command has no standard input */
	cli_stream_take take;
	void *ctx;
};

/* Runs it to its end; *ret_code is its exit status. The session's timeout is for connecting, and
 * from then on for a silence while it is the other side's turn.
 *
 * DENIED (detail 401, 403: with what is missing), NOT_FOUND, INVALID with detail 400: the API
 * server's word. TRANSIENT: no connection, or it was cut: then what was taken is not complete.
 * TERMINAL: the command was not run; the kubelet's word, or the channel cannot carry it. What take
 * returns. */
int cli_channel_run(struct cli_session *s, const struct cli_channel *request, int *ret_code,
	struct err *err) must_check;

#endif
