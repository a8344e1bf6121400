#include "controller/webhook.h"

#include "controller/address.h"
#include "controller/pem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/listen.h"
#include "pkg/base/text.h"

#include <libwebsockets.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define PIECE          (16u << 10)     /* bytes written at once */
#define REQUEST_NS     (10 * NS_PER_S) /* from its header to its answer */
#define SILENCE_S      10              /* within a handshake, a header, a body, an answer */
#define KEEPALIVE_S    90              /* between requests: then the API server connects again */
#define HEADER_MAX     4096            /* bytes */
#define RECORD_MAX     (16u << 10)     /* bytes of a TLS record, RFC 8446 5.1 */
#define FD_MAX         (CONTROLLER_WEBHOOK_CONNECTIONS + 16) /* of libwebsockets */
#define CHAIN_MAX      4                                     /* certificates behind the first */
#define ANSWER_MAX     (8u << 20)
#define ANSWER_HEADERS 512
#define CLOSING_ROUNDS 5 /* of the loop, in which libwebsockets closes its handles */

struct certificate {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
};

struct controller_webhook {
	struct controller_webhook_config config;
	struct lws_context *lws;
	struct lws_vhost *vhost;
	struct certificate certificate;
	struct controller_webhook_stats stats;
	uint64_t bodies; /* bytes that requests under way have announced */
	uv_timer_t closing;
	unsigned rounds;
	bool draining, timer_open;
};

/* A request. libwebsockets gives it zeroed memory. */
struct request {
	bool busy;
	uint64_t length; /* of its body */
	int64_t begun_ns;
	struct buf body, answer;
	size_t sent;
};

/* -- certificates -- */

static void certificate_done(struct certificate *c)
{
	X509_free(c->leaf);
	EVP_PKEY_free(c->key);
	sk_X509_pop_free(c->chain, X509_free);
	*c = (struct certificate){0};
}
CLEANUP_DONE(struct certificate, certificate_done);

static int read_certificates(struct certificate *c, struct str chain, struct err *err)
{
	_cleanup_(controller_bio_done) BIO *bio = BIO_new_mem_buf(chain.p, (int)chain.n);

	c->chain = sk_X509_new_null();
	if (!bio || !c->chain)
		return FAIL(err, ERR_NOMEM, "certificate");
	c->leaf = PEM_read_bio_X509(bio, NULL, controller_no_passphrase, NULL);
	for (int i = 0; c->leaf && i < CHAIN_MAX; i++) {
		X509 *next = PEM_read_bio_X509(bio, NULL, controller_no_passphrase, NULL);
		if (!next)
			break;
		if (sk_X509_push(c->chain, next) == 0) {
			X509_free(next);
			return FAIL(err, ERR_NOMEM, "certificate");
		}
	}
	return c->leaf ? 0 : FAIL(err, ERR_INVALID, "there is no certificate");
}

int controller_webhook_certificate(
	struct controller_webhook *w, struct str chain, struct str key, struct err *err)
{
	_cleanup_(certificate_done) struct certificate c = {0};
	_cleanup_(controller_bio_done) BIO *bio = NULL;

	if (chain.n == 0 || key.n == 0 || chain.n > INT_MAX || key.n > INT_MAX)
		return FAIL(err, ERR_INVALID, "there is no certificate");
	TRY(read_certificates(&c, chain, err));
	bio = BIO_new_mem_buf(key.p, (int)key.n);
	if (!bio)
		return FAIL(err, ERR_NOMEM, "key");
	c.key = PEM_read_bio_PrivateKey(bio, NULL, controller_no_passphrase, NULL);
	if (!c.key || X509_check_private_key(c.leaf, c.key) != 1)
		return FAIL(err, ERR_INVALID, "the key does not fit the certificate");
	const struct certificate old = w->certificate;
	w->certificate = c;
	c = old;
	return 0;
}

/* Asked by each handshake: a new certificate needs no new connections to listen to. */
static int on_handshake(SSL *ssl, void *ctx)
{
	struct controller_webhook *w = ctx;
	const struct certificate *c = &w->certificate;

	if (!c->leaf) {
		w->stats.handshakes_without_certificate++;
		return 0;
	}
	return SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) == 1;
}

static void set_up_tls(struct controller_webhook *w, SSL_CTX *ssl)
{
	(void)SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_cert_cb(ssl, on_handshake, w);
}

/* -- requests -- */

static void end(struct controller_webhook *w, struct request *r)
{
	if (!r || !r->busy)
		return;
	w->bodies -= r->length;
	w->stats.busy--;
	base_buf_done(&r->body);
	base_buf_done(&r->answer);
	*r = (struct request){0};
}

/* An answer without a body, after which the connection ends: what may follow is not read. */
static int refuse(struct lws *wsi, unsigned status)
{
	(void)lws_return_http_status(wsi, status, NULL);
	return -1;
}

static uint64_t announced(struct lws *wsi)
{
	char text[24];
	uint64_t length = 0;
	const int n = lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH);

	if (n <= 0 || base_parse_u64(base_str_n(text, (size_t)n), UINT64_MAX, &length, NULL) < 0)
		return 0;
	return length;
}

static int begin(struct controller_webhook *w, struct lws *wsi, struct request *r, struct str path)
{
	const uint64_t length = announced(wsi);

	end(w, r);
	if (!base_str_eq(path, STR(CONTROLLER_WEBHOOK_PATH)))
		return refuse(wsi, 404);
	if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) <= 0)
		return refuse(wsi, 405);
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 || length == 0)
		return refuse(wsi, 411);
	if (length > w->config.body_max)
		return refuse(wsi, 413);
	if (w->bodies + length > CONTROLLER_WEBHOOK_BODIES_MAX) {
		w->stats.turned_away++;
		return refuse(wsi, 503);
	}
	*r = (struct request){.busy = true,
		.length = length,
		.begun_ns = w->config.clock.boot_ns(w->config.clock.ctx),
		.body = base_buf(length),
		.answer = base_buf(LWS_PRE + ANSWER_MAX)};
	w->bodies += length;
	w->stats.busy++;
	return 0;
}

static int take(
	struct controller_webhook *w, struct lws *wsi, struct request *r, const void *p, size_t n)
{
	const int64_t now = w->config.clock.boot_ns(w->config.clock.ctx);

	if (!r->busy || now - r->begun_ns > REQUEST_NS)
		return -1;
	lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, w->config.silence_s);
	return base_buf_add(&r->body, p, n, NULL) < 0 ? -1 : 0;
}

static unsigned status_of(const struct err *err)
{
	if (err->class == ERR_INVALID)
		return 400;
	return err->class == ERR_TOO_LARGE ? 413 : 500;
}

static int write_headers(struct controller_webhook *w, struct lws *wsi, size_t length)
{
	unsigned char headers[LWS_PRE + ANSWER_HEADERS];
	unsigned char *start = headers + LWS_PRE;
	unsigned char *p = start;
	unsigned char *end_of = headers + sizeof(headers) - 1;

	if (lws_add_http_common_headers(
		    wsi, HTTP_STATUS_OK, "application/json", length, &p, end_of) ||
		(w->draining && lws_add_http_header_by_token(wsi, WSI_TOKEN_CONNECTION,
					(const unsigned char *)"close", 5, &p, end_of)) ||
		lws_finalize_write_http_header(wsi, start, &p, end_of))
		return -1;
	return 0;
}

static int answer(struct controller_webhook *w, struct lws *wsi, struct request *r)
{
	static const uint8_t room[LWS_PRE];
	struct err err = {0};

	if (!r->busy)
		return -1;
	if (r->body.len != r->length)
		return refuse(wsi, 400);
	if (base_buf_add(&r->answer, room, sizeof(room), &err) < 0 ||
		w->config.answer(w->config.ctx, base_buf_str(&r->body), &r->answer, &err) < 0)
		return refuse(wsi, status_of(&err));
	base_buf_done(&r->body);
	r->sent = LWS_PRE;
	/* libwebsockets ended the body's time, and gives none to answers. */
	lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, w->config.silence_s);
	if (write_headers(w, wsi, r->answer.len - LWS_PRE) < 0)
		return -1;
	lws_callback_on_writable(wsi);
	return 0;
}

/* libwebsockets writes its framing before the bytes it is given: what stands there was sent. */
static int write_piece(struct controller_webhook *w, struct lws *wsi, struct request *r)
{
	if (!r->busy || r->answer.len <= r->sent)
		return -1;
	const size_t left = r->answer.len - r->sent;
	const size_t n = left < PIECE ? left : PIECE;
	const bool last = n == left;

	if (lws_write(wsi, r->answer.data + r->sent, n,
		    last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
		return -1;
	r->sent += n;
	lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, w->config.silence_s);
	if (!last) {
		lws_callback_on_writable(wsi);
		return 0;
	}
	end(w, r);
	return lws_http_transaction_completed(wsi) || w->draining ? -1 : 0;
}

/* -- connections -- */

static int on_connection(struct controller_webhook *w)
{
	if (w->stats.connections < CONTROLLER_WEBHOOK_CONNECTIONS)
		return 0;
	w->stats.turned_away++;
	return -1;
}

static void opened(struct controller_webhook *w, struct lws *wsi)
{
	w->stats.connections++;
	lws_set_opaque_user_data(wsi, w);
}

static void closed(struct controller_webhook *w, struct lws *wsi)
{
	if (lws_get_opaque_user_data(wsi) != w)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	w->stats.connections--;
}

/* The reasons that matter; for all others libwebsockets does what it does by default. */
static int on_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct lws_vhost *vhost = wsi ? lws_get_vhost(wsi) : NULL;
	struct controller_webhook *w = vhost ? lws_get_vhost_user(vhost) : NULL;

	if (!w)
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	switch ((int)reason) {
	case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
		set_up_tls(w, user);
		return 0;
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
		return on_connection(w);
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
		opened(w, wsi);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		closed(w, wsi);
		return 0;
	case LWS_CALLBACK_HTTP:
		return begin(w, wsi, user, base_str_n(in, len));
	case LWS_CALLBACK_HTTP_BODY:
		return take(w, wsi, user, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return answer(w, wsi, user);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return write_piece(w, wsi, user);
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED_HTTP:
		end(w, user);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
}

static const struct lws_protocols protocols[] = {
	{"http", on_event, sizeof(struct request), 0, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

/* -- life -- */

static int start(struct controller_webhook *w, struct err *err)
{
	struct controller_address a;
	bool six = false;
	void *loops[] = {w->config.loop};
	const struct lws_context_creation_info context = {.port = CONTEXT_PORT_NO_LISTEN,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
			   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
			   LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES,
		.foreign_loops = loops,
		.fd_limit_per_thread = FD_MAX,
		.max_http_header_data = HEADER_MAX,
		/* Read at once: it forgets what OpenSSL still has of a record that it read in more
		 * than two pieces, until the client sends more, which it will not. */
		.pt_serv_buf_size = RECORD_MAX,
		.max_http_header_pool = CONTROLLER_WEBHOOK_CONNECTIONS,
		.timeout_secs = (unsigned)w->config.silence_s,
		.gid = -1,
		.uid = -1};

	TRY(controller_address_parse("--webhook-address", w->config.address, &a, err));
	six = a.v6 && (!a.any || base_has_ipv6());
	lws_set_log_level(0, NULL);
	w->lws = lws_create_context(&context);
	if (!w->lws)
		return FAIL(err, ERR_TERMINAL, "libwebsockets does not start");
	const struct lws_context_creation_info vhost = {.port = a.port,
		.iface = a.any ? NULL : a.host,
		.protocols = protocols,
		.options = context.options | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX |
			   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
			   /* to "not only IPv6", unless told VALUE, too */
			   (a.any ? LWS_SERVER_OPTION_IPV6_V6ONLY_MODIFY : 0) |
			   (six ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6),
		.vhost_name = "webhook",
		.keepalive_timeout = KEEPALIVE_S,
		.timeout_secs = (unsigned)w->config.silence_s,
		.alpn = "http/1.1",
		.user = w};
	w->vhost = lws_create_vhost(w->lws, &vhost);
	return w->vhost ? 0 : FAIL(err, ERR_TERMINAL, "cannot listen on %s", w->config.address);
}

int controller_webhook_new(const struct controller_webhook_config *config,
	struct controller_webhook **ret_w, struct err *err)
{
	_cleanup_(controller_webhook_free) struct controller_webhook *w = base_alloc(1, sizeof(*w));

	if (!w)
		return FAIL(err, ERR_NOMEM, "webhook");
	w->config = *config;
	if (w->config.silence_s == 0)
		w->config.silence_s = SILENCE_S;
	if (uv_timer_init(config->loop, &w->closing) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	w->timer_open = true;
	TRY(start(w, err));
	*ret_w = STEAL(w);
	return 0;
}

static void forget(uv_handle_t *timer)
{
	base_free(container_of((uv_timer_t *)timer, struct controller_webhook, closing));
}

/* On a loop that is not its own, libwebsockets wants to be told twice: its memory goes once its
 * handles are closed. */
static void on_closing(uv_timer_t *timer)
{
	struct controller_webhook *w = container_of(timer, struct controller_webhook, closing);

	if (++w->rounds < CLOSING_ROUNDS)
		return;
	lws_context_destroy(w->lws);
	certificate_done(&w->certificate);
	uv_close((uv_handle_t *)timer, forget);
}

struct controller_webhook *controller_webhook_free(struct controller_webhook *w)
{
	if (!w)
		return NULL;
	if (!w->timer_open)
		return base_free(w);
	if (!w->lws) {
		uv_close((uv_handle_t *)&w->closing, forget);
		return NULL;
	}
	lws_context_destroy(w->lws);
	(void)uv_timer_start(&w->closing, on_closing, 0, 1);
	return NULL;
}

void controller_webhook_drain(struct controller_webhook *w)
{
	w->draining = true;
}

uint16_t controller_webhook_port(const struct controller_webhook *w)
{
	return (uint16_t)lws_get_vhost_listen_port(w->vhost);
}

struct controller_webhook_stats controller_webhook_stats(const struct controller_webhook *w)
{
	return w->stats;
}
