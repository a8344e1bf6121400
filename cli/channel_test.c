#include "cli/channel.h"
#include "cli/test_server.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE (3u << 20)

/* -- the client -- */

struct got {
	char out[256], err[256];
	size_t n, errs;
	uint64_t sum; /* of all that came on standard output */
	bool full;
};

static int take(void *ctx, enum cli_stream_channel channel, struct str bytes, struct err *err)
{
	struct got *g = ctx;
	char *to = channel == CLI_STREAM_OUT ? g->out : g->err;
	size_t *n = channel == CLI_STREAM_OUT ? &g->n : &g->errs;

	if (g->full)
		return FAIL(err, ERR_CANCELLED, "standard output is full");
	for (size_t i = 0; i < bytes.n; i++) {
		if (*n + i < sizeof(g->out) - 1)
			to[*n + i] = bytes.p[i];
		g->sum = g->sum * 31 + (uint8_t)bytes.p[i];
	}
	*n += bytes.n;
	return 0;
}

static void configure(const char *server, const char *cluster, struct cli_options *o)
{
	(void)snprintf(o->kubeconfig, sizeof(o->kubeconfig), "%s/config", folder);
	FILE *f = fopen(o->kubeconfig, "we");
	assert_non_null(f);
	(void)fprintf(f,
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: '%s'%s}}]\n"
		"users: [{name: u, user: {token: secret-token}}]\n",
		server, cluster);
	(void)fclose(f);
	o->timeout_ns = NS_PER_S;
}

/* Runs a command in the pod. */
static int run(
	const char *cluster, struct cli_channel *c, struct got *got, int *ret_code, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	struct cli_options o = {0};
	char server[64];

	(void)snprintf(
		server, sizeof(server), "http%s://127.0.0.1:%d", cluster ? "s" : "", seen->port);
	configure(server, cluster ? cluster : "", &o);
	c->ns = STR("shop");
	c->container = STR("agent");
	c->take = take;
	c->ctx = got;
	TRY(cli_session_open(&o, KUBE_EXEC_NO_STDIN, &s, err));
	return cli_channel_run(&s, c, ret_code, err);
}

static const struct {
	const char *name, *pod;
	enum speaks speaks;
	bool input; /* an empty one */
	enum err_class class;
	int code, exit; /* of the command; of ours where it fails */
	const char *out, *err, *says;
} rows[] = {
	{"all of it", "hello", SPEAKS_V5, false, 0, 0, 0, "hello world", "", ""},
	{"an exit code", "code", SPEAKS_V5, false, 0, 4, 0, "", "no\n", ""},
	{"a server that does not hang up", "stays", SPEAKS_V5, false, 0, 0, 0, "x", "", ""},
	{"nothing in, nothing out", "echo", SPEAKS_V5, true, 0, 0, 0, "", "", ""},
	{"v4 without standard input", "hello", SPEAKS_V4, false, 0, 0, 0, "hello world", "", ""},
	{"v4 with one", "hello", SPEAKS_V4, true, ERR_TERMINAL, 0, 1, "", "", "Kubernetes 1.30"},
	{"another protocol", "hello", SPEAKS_OTHER, false, ERR_TRANSIENT, 0, 3, "", "", ""},
	{"cut", "cut", SPEAKS_V5, false, ERR_TRANSIENT, 0, 3, "x", "", "not complete"},
	{"closed without a status", "closed", SPEAKS_V5, false, ERR_TRANSIENT, 0, 3, "x", "",
		"not complete"},
	{"cut while we write", "cut", SPEAKS_V5, true, ERR_TRANSIENT, 0, 3, "x", "",
		"not complete"},
	{"an unknown channel", "unknown", SPEAKS_V5, false, ERR_INVALID, 0, 2, "x", "",
		"channel 7"},
	{"text", "text", SPEAKS_V5, false, ERR_INVALID, 0, 2, "", "", "sent text"},
	{"a status without end", "flood", SPEAKS_V5, false, ERR_TOO_LARGE, 0, 1, "", "", ""},
	{"silence", "silent", SPEAKS_V5, false, ERR_TRANSIENT, 0, 124, "", "", "no word in time"},
	{"not run", "lost", SPEAKS_V5, false, ERR_TERMINAL, 0, 1, "", "", "no such container"},
	{"not allowed", "denied", SPEAKS_V5, false, ERR_DENIED, 0, 1, "", "", "--verb=create,get"},
	{"not known", "nobody", SPEAKS_V5, false, ERR_DENIED, 0, 3, "", "", ""},
	{"no such pod", "missing", SPEAKS_V5, false, ERR_NOT_FOUND, 0, 1, "", "", "HTTP 404"},
	{"a redirect, which is not followed", "moved", SPEAKS_V5, false, ERR_TRANSIENT, 0, 3, "",
		"", "HTTP 302"},
	{"refused", "old", SPEAKS_V5, true, ERR_INVALID, 0, 1, "", "", "HTTP 400"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const pid_t child = serve(rows[i].speaks, NULL);
		struct got got = {0};
		struct err why = {0};
		int code = -1;
		const int in = rows[i].input ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
		struct cli_channel c = {
			.pod = base_str(rows[i].pod), .words = {"do", "a b"}, .in = in};
		const int r = run(NULL, &c, &got, &code, &why);
		end(child);
		if (in >= 0)
			close(in);
		if (r != -(int)rows[i].class || strcmp(got.out, rows[i].out) != 0 ||
			strcmp(got.err, rows[i].err) != 0 || !strstr(why.msg, rows[i].says) ||
			(r == 0 && code != rows[i].code) ||
			(r < 0 && (int)cli_exit_of(&why) != rows[i].exit))
			fail_msg("%s: %d (exit code %d), code %d, '%s', '%s', %s", rows[i].name, r,
				(int)cli_exit_of(&why), code, got.out, got.err, why.msg);
	}
}

static void test_what_is_asked(void **state)
{
	const pid_t child = serve(SPEAKS_V5, NULL);
	struct got got = {0};
	int code = -1;
	struct cli_channel c = {.pod = STR("hello"), .words = {"do", "a b"}, .in = -1};

	(void)state;
	assert_ok("run", run(NULL, &c, &got, &code, err));
	end(child);
	assert_string_equal(seen->uri, "/api/v1/namespaces/shop/pods/hello/exec");
	assert_string_equal(seen->token, "Bearer secret-token");
	assert_true(strncmp(seen->host, "127.0.0.1", 9) == 0);
}

/* LARGE bytes in a file; their sum behind that of "first". */
static FILE *fill(uint64_t *ret_sum)
{
	uint8_t piece[4096];
	FILE *f = tmpfile();
	uint64_t sum = 0;

	assert_non_null(f);
	for (unsigned i = 0; i < 5; i++)
		sum = sum * 31 + (uint8_t) "first"[i];
	for (size_t at = 0; at < LARGE; at += sizeof(piece)) {
		for (size_t i = 0; i < sizeof(piece); i++) {
			piece[i] = (uint8_t)((at + i) * 7 >> 3);
			sum = sum * 31 + piece[i];
		}
		assert_int_equal(fwrite(piece, 1, sizeof(piece), f), sizeof(piece));
	}
	rewind(f);
	*ret_sum = sum;
	return f;
}

/* A process that writes the file into a pipe; *ret_in is its other end. */
static pid_t pour(FILE *f, int *ret_in)
{
	uint8_t piece[4096];
	int ends[2] = {-1, -1};

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const pid_t writer = fork();
	if (writer == 0) {
		close(ends[0]);
		for (ssize_t n = 0; (n = read(fileno(f), piece, sizeof(piece))) > 0;)
			if (write(ends[1], piece, (size_t)n) != n)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	*ret_in = ends[0];
	return writer;
}

static void echo(int in, uint64_t sum)
{
	const pid_t child = serve(SPEAKS_V5, NULL);
	struct got got = {0};
	int code = -1;
	struct cli_channel c = {
		.pod = STR("echo"), .words = {"do"}, .before = STR("first"), .in = in};

	assert_ok("run", run(NULL, &c, &got, &code, err));
	end(child);
	assert_int_equal(code, 0);
	assert_int_equal(got.n, LARGE + 5);
	assert_true(got.sum == sum);
}

/* Standard input of any size, from a file and from a pipe, comes back whole and in order. */
static void test_much_input(void **state)
{
	uint64_t sum = 0;
	FILE *f = fill(&sum);
	int in = -1;

	(void)state;
	echo(fileno(f), sum);
	(void)fclose(f);
	f = fill(&sum);
	const pid_t writer = pour(f, &in);
	echo(in, sum);
	(void)waitpid(writer, NULL, 0);
	close(in);
	(void)fclose(f);
}

static void test_who_takes_refuses(void **state)
{
	const pid_t child = serve(SPEAKS_V5, NULL);
	struct got got = {.full = true};
	int code = -1;
	struct cli_channel c = {.pod = STR("hello"), .words = {"do"}, .in = -1};

	(void)state;
	assert_class("full", ERR_CANCELLED, run(NULL, &c, &got, &code, err));
	end(child);
}

static const struct {
	const char *name, *cluster, *certificate;
	enum err_class class;
	const char *says;
} tls_rows[] = {
	{"by address", ", certificate-authority: '%s/good.crt'", "good", 0, ""},
	{"by name", ", certificate-authority: '%s/good.crt', tls-server-name: api.example", "good",
		0, ""},
	{"another name", ", certificate-authority: '%s/good.crt', tls-server-name: other.example",
		"good", ERR_TRANSIENT, ""},
	{"another authority", ", certificate-authority: '%s/other.crt'", "good", ERR_TRANSIENT, ""},
	{"an address that the certificate has not", ", certificate-authority: '%s/other.crt'",
		"other", ERR_TRANSIENT, ""},
	{"not verified", ", insecure-skip-tls-verify: true", "other", 0, ""},
	{"a proxy", ", certificate-authority: '%s/good.crt', proxy-url: 'http://127.0.0.1:1'",
		"good", ERR_INVALID, "no proxy"},
};

static void test_tls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tls_rows); i++) {
		const pid_t child = serve(SPEAKS_V5, tls_rows[i].certificate);
		struct got got = {0};
		struct err why = {0};
		int code = -1;
		struct cli_channel c = {.pod = STR("hello"), .words = {"do"}, .in = -1};
		char cluster[256];
		const char *at = strstr(tls_rows[i].cluster, "%s");
		(void)snprintf(cluster, sizeof(cluster), "%.*s%s%s",
			at ? (int)(at - tls_rows[i].cluster) : (int)strlen(tls_rows[i].cluster),
			tls_rows[i].cluster, at ? folder : "", at ? at + 2 : "");
		seen->token[0] = 0;
		const int r = run(cluster, &c, &got, &code, &why);
		end(child);
		if (r != -(int)tls_rows[i].class || !strstr(why.msg, tls_rows[i].says))
			fail_msg("%s: %d, %s", tls_rows[i].name, r, why.msg);
		if (r < 0 && seen->token[0])
			fail_msg("%s: the token went to who is not verified", tls_rows[i].name);
		if (r == 0)
			assert_string_equal(got.out, "hello world");
	}
}

static void test_nobody_there(void **state)
{
	struct got got = {0};
	struct err why = {0};
	int code = -1;
	struct cli_channel c = {.pod = STR("hello"), .words = {"do"}, .in = -1};

	(void)state;
	seen->port = 1;
	assert_int_equal(run(NULL, &c, &got, &code, &why), -ERR_TRANSIENT);
	assert_int_equal(cli_exit_of(&why), CLI_UNREACHABLE);
	assert_null(strstr(why.msg, "proxy"));
	assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1),
		0); /* NOLINT(concurrency-mt-unsafe) */
	assert_int_equal(run(NULL, &c, &got, &code, &why), -ERR_TRANSIENT);
	assert_non_null(strstr(why.msg, "no proxy"));
	assert_int_equal(unsetenv("https_proxy"), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static int make_certificate(const char *name, const char *names)
{
	char command[512];

	(void)snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj "
		"/CN=x -addext subjectAltName=%s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
		names, folder, name, folder, name);
	return system(command); /* NOLINT(concurrency-mt-unsafe) */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_what_is_asked),
		cmocka_unit_test(test_much_input),
		cmocka_unit_test(test_who_takes_refuses),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_nobody_there),
	};
	static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY"};
	char command[128];

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
		(void)unsetenv(proxies[i]); /* NOLINT(concurrency-mt-unsafe) */
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED || !mkdtemp(folder) ||
		make_certificate("good", "IP:127.0.0.1,DNS:api.example") != 0 ||
		make_certificate("other", "DNS:elsewhere.example") != 0)
		return 1;
	const int r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 ? r : 1; /* NOLINT(concurrency-mt-unsafe) */
}
