#include "cli/channel.h"

#include "cli/channel_internal.h"

#include "pkg/base/alloc.h"

#include <errno.h>
#include <libwebsockets.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE          (32u << 10) /* bytes of standard input in one message */
#define HEADERS_MAX    (96u << 10) /* a bearer token, and the address */
#define HEADER_MAX     4096        /* of the answer */
#define FD_MAX         16
#define PING_S         20     /* so that nobody between takes the connection for dead */
#define HANGUP_S       0xffff /* by silence of ours alone: take may stand still */
#define KEEPALIVE_S    30
#define CLOSE_MS       1000 /* how long the end of the connection may take after that of the command */
#define CLOSING_ROUNDS 5    /* of the loop, in which libwebsockets closes its handles */
#define PROTOCOLS      "v5.channel.k8s.io,v4.channel.k8s.io"

struct running {
	const struct cli_channel *request;
	struct cli_session *s;
	const struct cli_channel_way *way;
	struct lws_context *lws;
	struct lws *wsi; /* NULL: not yet, or no more */
	struct cli_stream stream;
	uv_timer_t timer;
	uv_poll_t input;
	bool has_input;       /* the handle is there */
	bool open, old;       /* the channel is there; it is v4 */
	bool ended, end_told; /* standard input has; the server knows */
	bool over, late;      /* the connection has ended; too late */
	struct str before;    /* what is left of request->before */
	size_t piece_len;     /* of a message that waits to be written */
	unsigned status;      /* HTTP, of an upgrade that was refused */
	struct err why;       /* class 0: nothing of ours went wrong */
	unsigned char piece[LWS_PRE + 1 + PIECE];
};

static void fail(struct running *r, const struct err *why)
{
	if (!r->why.class)
		r->why = *why;
}

/* -- time -- */

static void on_late(uv_timer_t *timer)
{
	struct running *r = timer->data;

	r->late = !cli_stream_told(&r->stream);
	r->over = true;
}

/* From now on somebody has to do something; not while that is who writes our standard input. */
static void touch(struct running *r)
{
	if (!r->has_input || !uv_is_active((const uv_handle_t *)&r->input))
		(void)uv_timer_start(
			&r->timer, on_late, (uint64_t)(r->s->timeout_ns / NS_PER_MS), 0);
}

/* -- standard input -- */

static int look_at_input(struct running *r);

static void readable(uv_poll_t *input, int status, int events)
{
	struct running *r = input->data;

	(void)status;
	(void)events;
	(void)uv_poll_stop(input);
	touch(r);
	if (look_at_input(r) < 0)
		r->over = true;
}

/* Until somebody writes something it is nobody's fault that nothing happens. */
static int wait_for_input(struct running *r, struct err *err)
{
	if (!r->has_input) {
		if (uv_poll_init(&r->s->loop, &r->input, r->request->in) != 0)
			return FAIL(err, ERR_TERMINAL, "standard input cannot be waited for");
		r->input.data = r;
		r->has_input = true;
	}
	if (uv_poll_start(&r->input, UV_READABLE | UV_DISCONNECT, readable) != 0)
		return FAIL(err, ERR_TERMINAL, "standard input cannot be waited for");
	(void)uv_timer_stop(&r->timer);
	return 0;
}

static int read_input(struct running *r, struct err *err)
{
	struct pollfd p = {.fd = r->request->in, .events = POLLIN};
	unsigned char *to = r->piece + LWS_PRE;
	ssize_t n = -1;

	if (poll(&p, 1, 0) == 0)
		return wait_for_input(r, err);
	do
		n = read(r->request->in, to + 1, PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return FAIL(err, ERR_TERMINAL, "standard input: %m");
	to[0] = CLI_STREAM_IN;
	r->piece_len = n ? (size_t)n + 1 : 0;
	r->ended = n == 0;
	(void)lws_callback_on_writable(r->wsi);
	return 0;
}

/* Makes the next message of it, once the one before is on its way. */
static int look_at_input(struct running *r)
{
	if (!r->wsi || r->ended || r->piece_len)
		return 0;
	if (!r->before.n)
		return read_input(r, &r->why);
	const size_t n = r->before.n < PIECE ? r->before.n : PIECE;
	r->piece[LWS_PRE] = CLI_STREAM_IN;
	memcpy(r->piece + LWS_PRE + 1, r->before.p, n);
	r->piece_len = n + 1;
	r->before = base_str_sub(r->before, n, r->before.n);
	(void)lws_callback_on_writable(r->wsi);
	return 0;
}

static int on_writable(struct running *r)
{
	static const unsigned char end[] = {CLI_STREAM_CLOSE, CLI_STREAM_IN};

	if (r->piece_len) {
		const size_t n = r->piece_len;
		r->piece_len = 0;
		if (lws_write(r->wsi, r->piece + LWS_PRE, n, LWS_WRITE_BINARY) < 0)
			return -1;
		touch(r);
	} else if (r->ended && !r->end_told && r->request->in >= 0) {
		memcpy(r->piece + LWS_PRE, end, sizeof(end));
		r->end_told = true;
		return lws_write(r->wsi, r->piece + LWS_PRE, sizeof(end), LWS_WRITE_BINARY) < 0 ? -1
												: 0;
	}
	return look_at_input(r) < 0 ? -1 : 0;
}

/* -- the connection -- */

/* After the handshake of TLS, before anything of ours is sent: who is not verified hears no token.
 */
static int add_headers(struct running *r, unsigned char **p, size_t room)
{
	const struct str token = r->way->authorization;

	if (r->way->tls && !cli_channel_verified(r->way, lws_get_ssl(r->wsi), &r->why))
		return -1;
	if (!token.n)
		return 0;
	return lws_add_http_header_by_name(r->wsi,
		(const unsigned char *)"authorization:", (const unsigned char *)token.p,
		(int)token.n, p, *p + room);
}

/* Which of our protocols was chosen. */
static int on_answer(struct running *r)
{
	char name[64] = "";

	(void)lws_hdr_copy(r->wsi, name, sizeof(name), WSI_TOKEN_PROTOCOL);
	r->old = strcmp(name, "v4.channel.k8s.io") == 0;
	if (!r->old && strcmp(name, "v5.channel.k8s.io") != 0)
		return FAIL(&r->why, ERR_TERMINAL,
			"the API server speaks no channel protocol that is known here");
	if (r->old && r->request->in >= 0)
		return FAIL(&r->why, ERR_TERMINAL,
			"the API server speaks v4.channel.k8s.io alone, which cannot tell the end "
			"of "
			"standard input: it has to be of Kubernetes 1.30 or newer");
	return 0;
}

static int on_receive(struct running *r, const void *p, size_t n)
{
	const bool first = lws_is_first_fragment(r->wsi) != 0;
	const bool last =
		lws_is_final_fragment(r->wsi) && lws_remaining_packet_payload(r->wsi) == 0;
	struct err why = {0};

	touch(r);
	int e = lws_frame_is_binary(r->wsi)
			? cli_stream_add(&r->stream, base_str_n(p, n), first, last, &why)
			: FAIL(&why, ERR_INVALID, "the API server sent text");
	if (e < 0) {
		fail(r, &why);
		return -1;
	}
	if (r->stream.status.len && cli_stream_told(&r->stream))
		(void)uv_timer_start(&r->timer, on_late, CLOSE_MS, 0);
	return 0;
}

static void on_refused(struct running *r, struct str reason)
{
	const unsigned status = lws_http_client_http_response(r->wsi);
	struct err why = {0};

	r->status = status == 101 ? 0 : status;
	(void)FAIL(&why, ERR_TRANSIENT, "%s: %.*s", r->way->server, STR_FMT(reason));
	fail(r, &why);
	r->wsi = NULL;
	r->over = true;
}

static int on_open(struct running *r)
{
	r->open = true;
	touch(r);
	r->ended = r->request->in < 0;
	return look_at_input(r) < 0 ? -1 : 0;
}

static int on_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n)
{
	struct running *r = wsi ? lws_get_opaque_user_data(wsi) : NULL;

	if (!r || r->over)
		return 0;
	r->wsi = wsi;
	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return add_headers(r, in, n);
	case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
		return on_answer(r) < 0 ? -1 : 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_open(r);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_receive(r, in, n);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(r);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		on_refused(r, base_str_n(in, in ? n : 0));
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		r->wsi = NULL;
		r->over = true;
		return 0;
	default:
		(void)user;
		return 0;
	}
}

/* Pieces as the parser likes them: of a message, whatever its size. */
static const struct lws_protocols protocols[] = {
	{"channel", on_event, 0, PIECE, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

/* -- life -- */

static int make_context(struct running *r, struct err *err)
{
	void *loops[] = {&r->s->loop};
	const struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
			   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
			   LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES |
			   (r->way->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
		.foreign_loops = loops,
		.provided_client_ssl_ctx = r->way->tls,
		.fd_limit_per_thread = FD_MAX,
		.max_http_header_data = HEADER_MAX,
		.pt_serv_buf_size = HEADERS_MAX,
		.timeout_secs = (unsigned)(r->s->timeout_ns / NS_PER_S) + 1,
		.http_proxy_address = "", /* else $http_proxy */
		.ka_time = KEEPALIVE_S,
		.ka_probes = 4,
		.ka_interval = KEEPALIVE_S,
		.gid = -1,
		.uid = -1};

	lws_set_log_level(0, NULL);
	r->lws = lws_create_context(&info);
	return r->lws ? 0
		      : FAIL(err, ERR_TERMINAL,
				"libwebsockets does not start: is its plugin for libuv installed "
				"(Debian: libwebsockets-evlib-uv)?");
}

static int connect_to(struct running *r, struct err *err)
{
	static const lws_retry_bo_t idle = {
		.secs_since_valid_ping = PING_S, .secs_since_valid_hangup = HANGUP_S};
	const struct cli_channel_way *way = r->way;
	const struct lws_client_connect_info info = {.context = r->lws,
		.address = way->host,
		.port = way->port,
		/* To where the kubeconfig says, and to nowhere else: the token goes with it. */
		.ssl_connection = way->flags | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
		.path = way->path,
		.host = way->name,
		.protocol = PROTOCOLS,
		.local_protocol_name = protocols[0].name,
		.alpn = "http/1.1",
		.retry_and_idle_policy = &idle,
		.opaque_user_data = r};

	touch(r);
	if (!lws_client_connect_via_info(&info) && !r->over)
		return FAIL(err, ERR_TRANSIENT, "%s: no connection", way->server);
	return 0;
}

static void nothing(uv_handle_t *handle)
{
	(void)handle;
}

/* On a loop that is not its own, libwebsockets wants to be told twice: its memory goes once its
 * handles are closed. */
static void stop(struct running *r)
{
	r->over = true;
	r->wsi = NULL;
	if (r->lws)
		lws_context_destroy(r->lws);
	uv_close((uv_handle_t *)&r->timer, nothing);
	if (r->has_input)
		uv_close((uv_handle_t *)&r->input, nothing);
	for (int i = 0; i < CLOSING_ROUNDS; i++)
		(void)uv_run(&r->s->loop, UV_RUN_NOWAIT);
	if (r->lws)
		lws_context_destroy(r->lws);
	cli_stream_done(&r->stream);
}

/* kubectl would have gone through it. */
static bool has_proxy(void)
{
	/* One thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	return getenv("https_proxy") || getenv("HTTPS_PROXY");
}

static int judge(struct running *r, int *ret_code, struct err *err)
{
	if (r->late)
		return cli_late(r->open ? "no word in time: what came is not complete"
					: "no answer in time",
			err);
	if (!r->open && r->why.class == ERR_TRANSIENT && has_proxy())
		base_err_wrap(&r->why, "a channel goes through no proxy, not that of $https_proxy");
	if (r->why.class || !r->open) {
		if (err)
			*err = r->why;
		return r->why.class ? -(int)r->why.class
				    : FAIL(err, ERR_TRANSIENT, "%s: no connection", r->way->server);
	}
	return cli_stream_end(&r->stream, ret_code, err);
}

static int run(struct running *r, int *ret_code, struct err *err)
{
	if (uv_timer_init(&r->s->loop, &r->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	r->timer.data = r;
	int e = make_context(r, err);
	if (e == 0)
		e = connect_to(r, err);
	while (e == 0 && !r->over)
		(void)uv_run(&r->s->loop, UV_RUN_ONCE);
	if (e == 0)
		e = judge(r, ret_code, err);
	stop(r);
	return e;
}

int cli_channel_run(
	struct cli_session *s, const struct cli_channel *request, int *ret_code, struct err *err)
{
	_cleanup_(cli_channel_way_done) struct cli_channel_way way = {0};

	TRY(cli_channel_find_way(s, request, &way, err));
	struct running *r = base_alloc(1, sizeof(*r));
	if (!r)
		return FAIL(err, ERR_NOMEM, "channel");
	r->request = request;
	r->s = s;
	r->way = &way;
	r->before = request->before;
	r->stream = cli_stream(request->take, request->ctx);
	const int e = run(r, ret_code, err);
	const unsigned status = r->open ? 0 : r->status;
	base_free(r);
	return status ? cli_channel_explain(s, request, status, err) : e;
}
