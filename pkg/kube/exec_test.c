#include "pkg/base/test.h"
#include "pkg/kube/config.h"
#include "pkg/kube/exec.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define API    "client.authentication.k8s.io/v1"
#define BETA   "client.authentication.k8s.io/v1beta1"
#define CERT   "-----BEGIN CERTIFICATE-----\\nMAMCAQE=\\n-----END CERTIFICATE-----\\n"
#define KEY    "-----BEGIN PRIVATE KEY-----\\nMAMCAQM=\\n-----END PRIVATE KEY-----\\n"
#define MARK   "echo run >>%DIR%/runs\n"
#define STATUS "{\"apiVersion\":\"" API "\",\"kind\":\"ExecCredential\",\"status\":{"
/* A shell script that prints an ExecCredential with this status. */
#define PRINT(status) MARK "printf '%s\\n' '" STATUS status "}}'\n"

static char dir[64];

/* Tests have one thread. */
static void set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static const char *path_of(const char *name)
{
	static char path[192];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Text with each %DIR% replaced. */
static void write_file(const char *name, const char *text, int mode)
{
	const int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	const char *at = NULL;

	assert_true(fd >= 0);
	for (; (at = strstr(text, "%DIR%")); text = at + 5) {
		assert_int_equal(write(fd, text, (size_t)(at - text)), at - text);
		assert_int_equal(write(fd, dir, strlen(dir)), strlen(dir));
	}
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, (mode_t)mode), 0);
	close(fd);
}

static void write_plugin(const char *script)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s", script);
	write_file("plugin", text, 0700);
	unlink(path_of("runs"));
}

/* A file of the folder as text. */
static const char *read_back(const char *name)
{
	static char text[8192];
	const int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static size_t runs(void)
{
	return strlen(read_back("runs")) / 4;
}

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/kube-exec-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command); /* NOLINT(concurrency-mt-unsafe) */
}

static struct kube_exec_spec spec_of(const char *name)
{
	static char command[192];

	(void)snprintf(command, sizeof(command), "%s/%s", dir, name);
	return (struct kube_exec_spec){.command = base_str(command),
		.version = STR(API),
		.hint = STR("install it with make plugin"),
		.timeout_ms = 5000};
}

/* What plugins may do, good and hostile. */
static const struct {
	const char *name, *script; /* NULL: there is none */
	const char *says;          /* NULL: it works */
	const char *token;
	bool pair;
	uint32_t timeout_ms;
} rows[] = {
	{"a token", PRINT("\"token\":\"abc\""), NULL, "abc", false, 0},
	{"a token and a pair",
		PRINT("\"token\":\"abc\",\"clientCertificateData\":\"" CERT
		      "\",\"clientKeyData\":\"" KEY "\""),
		NULL, "abc", true, 0},
	{"a pair alone",
		PRINT("\"clientCertificateData\":\"" CERT "\",\"clientKeyData\":\"" KEY "\""), NULL,
		"", true, 0},
	{"fields that are not known", PRINT("\"token\":\"abc\",\"later\":{\"a\":[1]}"), NULL, "abc",
		false, 0},
	{"a child that keeps the pipe", "(sleep 2; echo x) &\n" PRINT("\"token\":\"abc\""), NULL,
		"abc", false, 0},
	{"an expiry, also null", PRINT("\"token\":\"abc\",\"expirationTimestamp\":null"), NULL,
		"abc", false, 0},
	{"a certificate without its key", PRINT("\"clientCertificateData\":\"" CERT "\""),
		"without its key", NULL, false, 0},
	{"a certificate that is none",
		PRINT("\"clientCertificateData\":\"x\",\"clientKeyData\":\"y\""), "no PEM", NULL,
		false, 0},
	{"nothing of use", PRINT(""), "neither token nor certificate", NULL, false, 0},
	{"a token that would end the header", PRINT("\"token\":\"a\\r\\nX: y\""), "byte 1", NULL,
		false, 0},
	{"another version",
		"echo '{\"apiVersion\":\"" BETA
		"\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"a\"}}'\n",
		"no ExecCredential of " API, NULL, false, 0},
	{"another kind",
		"echo '{\"apiVersion\":\"" API
		"\",\"kind\":\"Pod\",\"status\":{\"token\":\"a\"}}'\n",
		"no ExecCredential", NULL, false, 0},
	{"garbage", "echo '\\001\\002{{'\n", "what is no ExecCredential", NULL, false, 0},
	{"nothing", "exit 0\n", "what is no ExecCredential", NULL, false, 0},
	{"two documents", PRINT("\"token\":\"a\"") PRINT("\"token\":\"b\""),
		"what is no ExecCredential", NULL, false, 0},
	{"a number as token", PRINT("\"token\":7"), "what is no ExecCredential", NULL, false, 0},
	{"an expiry that is no time", PRINT("\"token\":\"a\",\"expirationTimestamp\":\"tomorrow\""),
		"what is no ExecCredential", NULL, false, 0},
	{"more than is read", "yes | head -c 3000000\n", "too much", NULL, false, 0},
	{"exit 1", "echo secret; exit 1\n", "exit status 1", NULL, false, 0},
	{"cannot be run", "exit 127\n", "install it with make plugin", NULL, false, 0},
	{"a signal", "kill -9 $$\n", "signal 9", NULL, false, 0},
	{"hangs", "sleep 60\n", "did not end within 200 ms", NULL, false, 200},
	{"hangs, and prints", "while :; do echo x; sleep 0.02; done\n", "did not end within", NULL,
		false, 200},
	{"is not there", NULL, "install it with make plugin", NULL, false, 0},
};

static void test_what_plugins_do(void **state)
{
	const struct env env = base_env_system();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(kube_exec_free) struct kube_exec *e = NULL;
		struct kube_credential c = {0};
		struct err why = {0};
		struct kube_exec_spec spec = spec_of(rows[i].script ? "plugin" : "nothing-here");
		if (rows[i].timeout_ms)
			spec.timeout_ms = rows[i].timeout_ms;
		if (rows[i].script)
			write_plugin(rows[i].script);
		assert_ok(rows[i].name, kube_exec_new(&spec, &e, err));
		const int r = kube_exec_get(e, &env, 1, &c, &why);
		if ((r == 0) != !rows[i].says)
			fail_msg("%s: %d %s", rows[i].name, r, why.msg);
		if (rows[i].says && (r != -ERR_DENIED || !strstr(why.msg, rows[i].says)))
			fail_msg("%s: says '%s'", rows[i].name, why.msg);
		if (strstr(why.msg, "secret"))
			fail_msg("%s: tells what the plugin printed", rows[i].name);
		if (r == 0 && (!base_str_eq(c.token, base_str(rows[i].token)) ||
				      (c.cert_pem.n > 0) != rows[i].pair ||
				      (c.key_pem.n > 0) != rows[i].pair))
			fail_msg("%s: token '%.*s'", rows[i].name, STR_FMT(c.token));
	}
}

/* It runs again when the credential expires or is refused, and not before. */
static void test_when_it_runs(void **state)
{
	struct env_fake fake = {.wall_ns = 1767225600LL * NS_PER_S}; /* 2026-01-01T00:00:00Z */
	const struct env env = base_env_fake(&fake);
	_cleanup_(kube_exec_free) struct kube_exec *e = NULL;
	struct kube_exec_spec spec = spec_of("plugin");
	struct kube_credential c = {0};

	(void)state;
	write_plugin(PRINT("\"token\":\"a\",\"expirationTimestamp\":\"2026-01-01T00:01:00Z\""));
	assert_ok("new", kube_exec_new(&spec, &e, err));
	assert_int_equal(runs(), 0);
	assert_ok("first", kube_exec_get(e, &env, 100, &c, err));
	assert_ok("again", kube_exec_get(e, &env, 101, &c, err));
	assert_int_equal(runs(), 1);
	fake.wall_ns += 29 * NS_PER_S;
	assert_ok("31 s before its end", kube_exec_get(e, &env, 102, &c, err));
	assert_int_equal(runs(), 1);
	fake.wall_ns += 1 * NS_PER_S;
	assert_ok("30 s before its end", kube_exec_get(e, &env, 103, &c, err));
	assert_int_equal(runs(), 2);
	write_plugin(PRINT("\"token\":\"b\""));
	assert_ok("without end", kube_exec_get(e, &env, 200, &c, err));
	fake.wall_ns += 86400 * NS_PER_S;
	assert_ok("a day later", kube_exec_get(e, &env, 201, &c, err));
	assert_int_equal(runs(), 1);
	/* A refusal of a request that is older than the credential says nothing about it. */
	assert_true(kube_exec_refused(e, 150));
	assert_ok("refused before", kube_exec_get(e, &env, 202, &c, err));
	assert_int_equal(runs(), 1);
	assert_true(kube_exec_refused(e, 202));
	write_plugin("exit 3\n");
	assert_class("refused, and no other", ERR_DENIED, kube_exec_get(e, &env, 203, &c, err));
	write_plugin(PRINT("\"token\":\"c\""));
	assert_ok("refused, and another", kube_exec_get(e, &env, 204, &c, err));
	assert_true(base_str_eq(c.token, STR("c")));
}

#define USER_EXEC(rest)                                                                       \
	"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"         \
	"clusters: [{name: c, cluster: {server: 'https://h:6443', tls-server-name: n, "       \
	"extensions: "                                                                        \
	"[{name: other, extension: 1}, {name: client.authentication.k8s.io/exec, extension: " \
	"{audience: me, deep: [1, true, null, 'true']}}]}}]\n"                                \
	"users: [{name: u, user: {exec: {" rest "}}}]\n"
#define V1 "apiVersion: " API ", "

static const struct {
	const char *name, *text, *says;
	enum kube_exec_policy policy;
} configs[] = {
	{"whole", USER_EXEC(V1 "command: ./plugin, interactiveMode: Never"), NULL, KUBE_EXEC_STDIN},
	{"beta has a default mode", USER_EXEC("apiVersion: " BETA ", command: ./plugin"), NULL,
		KUBE_EXEC_NO_STDIN},
	{"a service", USER_EXEC(V1 "command: ./plugin, interactiveMode: Never"), "'exec'",
		KUBE_EXEC_REFUSED},
	{"no mode", USER_EXEC(V1 "command: ./plugin"), "interactiveMode", KUBE_EXEC_STDIN},
	{"a mode that is none", USER_EXEC(V1 "command: ./plugin, interactiveMode: Maybe"),
		"interactiveMode", KUBE_EXEC_STDIN},
	{"must ask, and input is taken", USER_EXEC(V1 "command: ./plugin, interactiveMode: Always"),
		"asks questions", KUBE_EXEC_NO_STDIN},
	{"no command", USER_EXEC(V1 "interactiveMode: Never"), "no command", KUBE_EXEC_STDIN},
	{"an old version",
		USER_EXEC("apiVersion: client.authentication.k8s.io/v1alpha1, command: ./plugin, "
			  "interactiveMode: Never"),
		"not known", KUBE_EXEC_STDIN},
	{"args that are no list",
		USER_EXEC(V1 "command: ./plugin, interactiveMode: Never, args: {a: b}"), "no list",
		KUBE_EXEC_STDIN},
	{"a variable without name",
		USER_EXEC(V1 "command: ./plugin, interactiveMode: Never, env: [{value: b}]"),
		"has no name", KUBE_EXEC_STDIN},
	{"cluster information that is no truth",
		USER_EXEC(V1 "command: ./plugin, interactiveMode: Never, provideClusterInfo: 1"),
		"neither true", KUBE_EXEC_STDIN},
	{"an extension that holds itself",
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://h', extensions: [{name: "
		"client.authentication.k8s.io/exec, extension: &a {b: *a}}]}}]\n"
		"users: [{name: u, user: {exec: {" V1 "command: p, interactiveMode: Never, "
		"provideClusterInfo: true}}}]\n",
		"nested too deep", KUBE_EXEC_STDIN},
};

static void test_kubeconfigs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
		_cleanup_(kube_config_free) struct kube_config *c = NULL;
		struct err why = {0};
		write_file("config", configs[i].text, 0600);
		const struct kube_choice choice = {
			.path = path_of("config"), .exec = configs[i].policy};
		const int r = kube_config_choose(&choice, &c, &why);
		if ((r == 0) != !configs[i].says)
			fail_msg("%s: %d %s", configs[i].name, r, why.msg);
		if (configs[i].says && !strstr(why.msg, configs[i].says))
			fail_msg("%s: says %s", configs[i].name, why.msg);
	}
}

/* Arguments, environment, standard input and cluster information as the plugin sees them. */
static void test_what_it_gets(void **state)
{
	const struct env env = base_env_system();
	_cleanup_(kube_config_free) struct kube_config *c = NULL;
	struct kube_credential who = {0};

	(void)state;
	write_plugin("{ echo \"$1|$2|$#\"; echo \"$COLOUR|$OLD|$KEPT\"; cat; echo "
		     "\"$KUBERNETES_EXEC_INFO\"; } >%DIR%/seen\n" PRINT("\"token\":\"t\""));
	set("OLD", "before");
	set("KEPT", "kept");
	set("KUBERNETES_EXEC_INFO", "somebody else's");
	write_file("config",
		USER_EXEC(V1 "command: ./plugin, interactiveMode: Never, args: [get, 'a b'], env: "
			     "[{name: COLOUR, value: red}, {name: OLD, value: after}], "
			     "provideClusterInfo: true"),
		0600);
	const struct kube_choice choice = {.path = path_of("config"), .exec = KUBE_EXEC_STDIN};
	assert_ok("config", kube_config_choose(&choice, &c, err));
	assert_ok("credential", kube_config_credential(c, &env, 1, &who, err));
	assert_true(base_str_eq(who.token, STR("t")));
	assert_string_equal(read_back("seen"),
		"get|a b|2\nred|after|kept\n"
		"{\"apiVersion\":\"" API "\",\"kind\":\"ExecCredential\",\"spec\":{\"cluster\":{"
		"\"server\":\"https://h:6443\","
		"\"tls-server-name\":\"n\",\"config\":{\"audience\":\"me\",\"deep\":[1,true,null,"
		"\"true\"]}},\"interactive\":false}}\n");
}

/* What a person chooses goes before what the files say. */
static void test_choices(void **state)
{
	static const char text[] =
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u, namespace: n}},\n"
		"  {name: y, context: {cluster: d}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://c'}},\n"
		"  {name: d, cluster: {server: 'https://d'}}]\n"
		"users: [{name: u, user: {token: a}}, {name: v, user: {token: b}}]\n";
	static const struct {
		struct kube_choice choice;
		const char *server, *ns, *token;
	} choices[] = {
		{{0}, "https://c", "n", "a"},
		{{.context = "y"}, "https://d", "default", ""},
		{{.cluster = "d"}, "https://d", "n", "a"},
		{{.user = "v"}, "https://c", "n", "b"},
		{{.ns = "mine"}, "https://c", "mine", "a"},
		{{.context = "y", .user = "v", .ns = "z"}, "https://d", "z", "b"},
	};
	const struct env env = base_env_system();

	(void)state;
	write_file("config", text, 0600);
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		_cleanup_(kube_config_free) struct kube_config *c = NULL;
		struct kube_choice choice = choices[i].choice;
		struct kube_credential who = {0};
		choice.path = path_of("config");
		assert_ok("choose", kube_config_choose(&choice, &c, err));
		assert_ok("credential", kube_config_credential(c, &env, 1, &who, err));
		assert_true(base_str_eq(c->server, base_str(choices[i].server)));
		assert_true(base_str_eq(c->ns, base_str(choices[i].ns)));
		assert_true(base_str_eq(who.token, base_str(choices[i].token)));
	}
}

/* Where a command is looked for, as client-go does. `%s` in PATH is the folder. */
static void test_where(void **state)
{
	static const struct {
		const char *name, *command, *path, *says; /* NULL: it runs */
	} where[] = {
		{"a bare name", "plugin", "/nowhere:%s:/bin", NULL},
		{"through a relative entry", "plugin", "/nowhere:.:%s", "relative entry"},
		{"through an empty entry", "plugin", "/nowhere::%s", "relative entry"},
		{"a relative entry without it", "plugin", "elsewhere:%s", NULL},
		{"a folder of that name", "folder", "%s", "not found in $PATH; install it"},
		{"no program", "config", "%s", "not found"},
		{"nowhere", "plugin", "", "relative entry"},
		{"a relative path starts at its file", "./plugin", "/bin", NULL},
		{"also from below", "folder/../plugin", "/bin", NULL},
	};
	const struct env env = base_env_system();
	char before[4096], here[PATH_MAX];

	(void)state;
	(void)snprintf(
		before, sizeof(before), "%s", getenv("PATH")); /* NOLINT(concurrency-mt-unsafe) */
	assert_non_null(getcwd(here, sizeof(here)));
	write_plugin(PRINT("\"token\":\"abc\""));
	(void)mkdir(path_of("folder"), 0700);
	assert_int_equal(chdir(dir), 0);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		_cleanup_(kube_config_free) struct kube_config *c = NULL;
		struct kube_credential who = {0};
		struct err why = {0};
		char text[512], path[256];
		(void)snprintf(text, sizeof(text),
			"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: "
			"u}}]\n"
			"clusters: [{name: c, cluster: {server: 'https://h'}}]\n"
			"users: [{name: u, user: {exec: {apiVersion: " API
			", interactiveMode: Never, command: %s, installHint: install it}}}]\n",
			where[i].command);
		write_file("config", text, 0600);
		const char *at = strstr(where[i].path, "%s");
		(void)snprintf(path, sizeof(path), "%.*s%s%s",
			at ? (int)(at - where[i].path) : (int)strlen(where[i].path), where[i].path,
			at ? dir : "", at ? at + 2 : "");
		set("PATH", path);
		const struct kube_choice choice = {
			.path = path_of("config"), .exec = KUBE_EXEC_NO_STDIN};
		assert_ok(where[i].name, kube_config_choose(&choice, &c, err));
		const int r = kube_config_credential(c, &env, 1, &who, &why);
		set("PATH", before);
		if (where[i].says ? r != -ERR_DENIED || !strstr(why.msg, where[i].says) : r != 0)
			fail_msg("%s: %d: %s", where[i].name, r, why.msg);
	}
	assert_int_equal(chdir(here), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_plugins_do),
		cmocka_unit_test(test_when_it_runs),
		cmocka_unit_test(test_kubeconfigs),
		cmocka_unit_test(test_what_it_gets),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_where),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
