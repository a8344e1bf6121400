/* The API server that the tests of the channel talk to: on libwebsockets, a process of its own,
 * which does what the pod's name says. Tests only.
 */
#ifndef CLI_TEST_SERVER_H
#define CLI_TEST_SERVER_H

#include "pkg/base/test.h"

#include <libwebsockets.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD "\3{\"metadata\":{},\"status\":\"Success\"}"
#define CODE(c)                                                                                   \
	"\3{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"x\",\"details\":" \
	"{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"" c "\"}]}}"

static char folder[] = "/tmp/functionkey-channel-XXXXXX";

/* What the server saw; shared with its process. */
static struct seen {
	int port, tls_port;
	char uri[1024], token[128], name[128], host[128];
} * seen;

/* -- the server -- */

/* What it sends, message by message; '!' at the end: then it cuts the connection, '.': it closes
 * it, '?': it waits. */
static const struct script {
	const char *pod;
	struct str messages[4];
	char then;
	bool text;
} scripts[] = {
	{"hello", {STR("\1"), STR("\1hello "), STR("\1world"), STR(GOOD)}, '.', false},
	{"code", {STR("\2no\n"), STR(CODE("4"))}, '.', false},
	{"stays", {STR("\1x"), STR(GOOD)}, '?', false},
	{"cut", {STR("\1x")}, '!', false},
	{"closed", {STR("\1x")}, '.', false},
	{"unknown", {STR("\1x"), STR("\7y"), STR(GOOD)}, '.', false},
	{"text", {STR("\1x")}, '.', true},
	{"silent", {{0}}, '?', false},
	{"lost",
		{STR("\3{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"no such "
		     "container\"}")},
		'.', false},
};

struct speaker { /* of libwebsockets, zeroed */
	char pod[64];
	size_t next;
	bool echo, flood, ended, told;
	uint8_t room[65536]; /* what is to be echoed */
	size_t len;
};

static const struct script *script_of(const char *pod)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		if (strcmp(scripts[i].pod, pod) == 0)
			return &scripts[i];
	return NULL;
}

static void find_pod(struct lws *wsi, char *pod, size_t cap)
{
	char uri[256] = "";

	if (lws_hdr_copy(wsi, uri, sizeof(uri), WSI_TOKEN_GET_URI) <= 0)
		return;
	const char *at = strstr(uri, "/pods/");
	(void)snprintf(pod, cap, "%.*s", at ? (int)strcspn(at + 6, "/") : 0, at ? at + 6 : "");
	(void)snprintf(seen->uri, sizeof(seen->uri), "%s", uri);
	(void)lws_hdr_copy(wsi, seen->token, sizeof(seen->token), WSI_TOKEN_HTTP_AUTHORIZATION);
	(void)lws_hdr_copy(wsi, seen->host, sizeof(seen->host), WSI_TOKEN_HOST);
}

static int put(struct lws *wsi, struct str s, bool text)
{
	static uint8_t room[LWS_PRE + 65536];

	memcpy(room + LWS_PRE, s.p, s.n);
	return lws_write(wsi, room + LWS_PRE, s.n, text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < 0
		       ? -1
		       : 0;
}

static int end_it(struct lws *wsi, char then)
{
	if (then == '!') /* without a word */
		(void)shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
	return then == '?' ? 0 : -1;
}

static int speak(struct lws *wsi, struct speaker *s)
{
	const struct script *script = script_of(s->pod);

	if (s->echo) {
		if (s->len) {
			const int r = put(wsi, base_str_n(s->room, s->len), false);
			s->len = 0;
			lws_rx_flow_control(wsi, 1);
			return r;
		}
		if (!s->ended)
			return 0;
		if (s->told)
			return -1;
		s->told = true;
		(void)lws_callback_on_writable(wsi);
		return put(wsi, STR(GOOD), false);
	}
	if (s->flood) {
		static char much[60000] = "\3";
		(void)lws_callback_on_writable(wsi);
		return put(wsi, base_str_n(much, sizeof(much)), false);
	}
	if (!script)
		return -1;
	if (s->next == ARRAY_LEN(script->messages) || !script->messages[s->next].n)
		return end_it(wsi, script->then);
	(void)lws_callback_on_writable(wsi);
	return put(wsi, script->messages[s->next++], script->text);
}

static void hear(struct lws *wsi, struct speaker *s, const uint8_t *p, size_t n)
{
	if (!s->echo || !n)
		return;
	if (n == 2 && p[0] == 255 && lws_is_first_fragment(wsi))
		s->ended = true;
	if (!s->ended) {
		/* Pieces of one message come one by one: each goes back as a message. */
		const bool first = lws_is_first_fragment(wsi) != 0;
		s->room[0] = 1;
		memcpy(s->room + 1, p + first, n - first);
		s->len = n - first + 1;
		lws_rx_flow_control(wsi, 0);
	}
	(void)lws_callback_on_writable(wsi);
}

static unsigned refused_with(const char *pod)
{
	static const struct {
		const char *pod;
		unsigned status;
	} refusals[] = {
		{"denied", 403}, {"nobody", 401}, {"missing", 404}, {"old", 400}, {"moved", 302}};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (strcmp(pod, refusals[i].pod) == 0)
			return refusals[i].status;
	return 0;
}

/* To another pod of this server. */
static int redirect(struct lws *wsi)
{
	uint8_t room[LWS_PRE + 512], *p = room + LWS_PRE;
	char to[128];
	const int n = snprintf(to, sizeof(to),
		"http://127.0.0.1:%d/api/v1/namespaces/shop/pods/hello/exec", seen->port);

	(void)!lws_http_redirect(
		wsi, HTTP_STATUS_FOUND, (const uint8_t *)to, n, &p, room + sizeof(room));
	return -1;
}

static int on_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n)
{
	struct speaker *s = user;
	char pod[64] = "";

	switch ((int)reason) {
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		find_pod(wsi, pod, sizeof(pod));
		if (strcmp(pod, "moved") == 0)
			return redirect(wsi);
		if (!refused_with(pod))
			return 0;
		(void)lws_return_http_status(wsi, refused_with(pod), NULL);
		return -1;
	case LWS_CALLBACK_HTTP: /* the same without an upgrade */
		find_pod(wsi, pod, sizeof(pod));
		(void)lws_return_http_status(wsi, refused_with(pod), "because of the pod");
		return -1;
	case LWS_CALLBACK_ESTABLISHED:
		find_pod(wsi, s->pod, sizeof(s->pod));
		s->echo = strcmp(s->pod, "echo") == 0;
		s->flood = strcmp(s->pod, "flood") == 0;
		if (!s->echo)
			(void)lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		hear(wsi, s, in, n);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return speak(wsi, s);
	default:
		return 0;
	}
}

enum speaks { SPEAKS_V5, SPEAKS_V4, SPEAKS_OTHER };

static inline pid_t serve(enum speaks speaks, const char *certificate)
{
	static const char *const names[] = {"v5.channel.k8s.io", "v4.channel.k8s.io", "chat"};
	char cert[128], key[128];
	const struct lws_protocols protocols[] = {
		{names[speaks], on_event, sizeof(struct speaker), 32768, 0, NULL, 0},
		{NULL, NULL, 0, 0, 0, NULL, 0}};

	seen->port = 0;
	(void)snprintf(cert, sizeof(cert), "%s/%s.crt", folder, certificate ? certificate : "");
	(void)snprintf(key, sizeof(key), "%s/%s.key", folder, certificate ? certificate : "");
	const pid_t child = fork();
	if (child > 0) {
		for (int i = 0; i < 500 && !*(volatile int *)&seen->port; i++)
			(void)usleep(10000);
		assert_true(seen->port > 0);
		return child;
	}
	const struct lws_context_creation_info info = {.port = 0,
		.iface = "127.0.0.1",
		.protocols = protocols,
		.options = certificate ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
		.ssl_cert_filepath = certificate ? cert : NULL,
		.ssl_private_key_filepath = certificate ? key : NULL,
		.gid = -1,
		.uid = -1};
	lws_set_log_level(0, NULL);
	struct lws_context *lws = lws_create_context(&info);
	if (!lws)
		_exit(1);
	seen->port = lws_get_vhost_listen_port(lws_get_vhost_by_name(lws, "default"));
	while (lws_service(lws, 0) >= 0) {
	}
	_exit(0);
}

static inline void end(pid_t child)
{
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

#endif
