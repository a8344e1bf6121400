#include "pkg/base/test.h"
#include "pkg/kube/config.h"
#include "pkg/kube/token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM(kind, base64) "-----BEGIN " kind "-----\n" base64 "\n-----END " kind "-----\n"
#define CERT              PEM("CERTIFICATE", "MAMCAQE=")
#define CERT2             PEM("CERTIFICATE", "MAMCAQI=")
#define KEY               PEM("EC PRIVATE KEY", "MAMCAQM=")
/* base64 of CERT and KEY, as *-data has them. */
#define CERT_DATA \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BTUNBUUU9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
#define KEY_DATA                                                                                   \
	"LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1BTUNBUU09Ci0tLS0tRU5EIEVDIFBSSVZBVEUgS0VZLS0t" \
	"LS0K"

static char dir[64];

/* Tests have one thread. NULL unsets. */
static void set(const char *name, const char *value)
{
	const int r = value ? setenv(name, value, 1) /* NOLINT(concurrency-mt-unsafe) */
			    : unsetenv(name);        /* NOLINT(concurrency-mt-unsafe) */
	assert_int_equal(r, 0);
}

static int shell(const char *command)
{
	return system(command); /* NOLINT(concurrency-mt-unsafe) */
}

static const char *path_of(const char *name)
{
	static char path[192];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	const int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/kube-config-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)mkdir(path_of("sub"), 0700);
	write_file("ca.crt", CERT);
	write_file("me.crt", CERT);
	write_file("me.key", KEY);
	write_file("token", " file-token \n");
	write_file("nonsense", "no PEM\n");
	write_file("sub/ca.crt", CERT2);
	set("KUBERNETES_SERVICE_HOST", NULL);
	set("POD_NAMESPACE", NULL);
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return shell(command);
}

#define HEAD                 "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
#define CTX                  "contexts:\n- name: x\n  context: {cluster: c, user: u}\n"
#define CLUSTER(rest)        "clusters:\n- name: c\n  cluster: {server: 'https://h:6443', " rest "}\n"
#define USER(rest)           "users:\n- name: u\n  user: {" rest "}\n"
#define WHOLE(cluster, user) HEAD CTX CLUSTER(cluster) USER(user)

/* What is in the configuration is compared where the row says so. */
static const struct {
	const char *name, *text;
	enum err_class class;
	const char *says; /* in the message */
	const char *server, *ns, *ca, *cert, *token;
} rows[] = {
	{"by files",
		WHOLE("certificate-authority: ca.crt",
			"client-certificate: me.crt, client-key: me.key"),
		ERR_OK, NULL, "https://h:6443", "default", CERT, CERT, NULL},
	{"by data, which wins",
		WHOLE("certificate-authority: nowhere, certificate-authority-data: " CERT_DATA,
			"client-certificate-data: " CERT_DATA ", client-key-data: " KEY_DATA),
		ERR_OK, NULL, "https://h:6443", "default", CERT, CERT, NULL},
	{"a token", WHOLE("", "token: abc"), ERR_OK, NULL, NULL, NULL, "", NULL, "abc"},
	{"its file wins", WHOLE("", "token: abc, tokenFile: token"), ERR_OK, NULL, NULL, NULL, NULL,
		NULL, "file-token"},
	{"its file is missing: the fixed one", WHOLE("", "token: abc, tokenFile: nowhere"), ERR_OK,
		NULL, NULL, NULL, NULL, NULL, "abc"},
	{"JSON",
		"{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":"
		"\"c\",\"namespace\":\"n\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{"
		"\"server\":"
		"\"http://[::1]:80/a/b//\",\"unknown\":{\"a\":[1]}}}]}",
		ERR_OK, NULL, "http://[::1]:80/a/b", "n", NULL, NULL, NULL},
	{"anchors",
		"clusters:\n- name: c\n  cluster: &a {server: 'https://h'}\n- name: d\n  cluster: "
		"*a\n"
		"contexts: [{name: x, context: {cluster: d}}]\ncurrent-context: x\n",
		ERR_OK, NULL, "https://h", "default", NULL, NULL, NULL},
	{"an empty file", "", ERR_INVALID, "no context", NULL, NULL, NULL, NULL, NULL},
	{"no YAML", "a: [1\nb: {", ERR_INVALID, "config:", NULL, NULL, NULL, NULL, NULL},
	{"a list", "- a\n", ERR_INVALID, "not a kubeconfig", NULL, NULL, NULL, NULL, NULL},
	{"no such context", HEAD, ERR_INVALID, "no context is named 'x'", NULL, NULL, NULL, NULL,
		NULL},
	{"no such cluster", HEAD CTX, ERR_INVALID, "no cluster is named 'c'", NULL, NULL, NULL,
		NULL, NULL},
	{"no such user", HEAD CTX CLUSTER(""), ERR_INVALID, "no user is named 'u'", NULL, NULL,
		NULL, NULL, NULL},
	{"a name twice",
		HEAD CTX "clusters:\n- {name: c, cluster: {server: 'https://a'}}\n"
			 "- {name: c, cluster: {server: 'https://b'}}\n" USER(""),
		ERR_INVALID, "two clusters", NULL, NULL, NULL, NULL, NULL},
	{"insecure beside a CA",
		WHOLE("insecure-skip-tls-verify: true, certificate-authority: ca.crt", ""),
		ERR_INVALID, "insecure", NULL, NULL, NULL, NULL, NULL},
	{"insecure is no word", WHOLE("insecure-skip-tls-verify: yes", ""), ERR_INVALID,
		"neither true", NULL, NULL, NULL, NULL, NULL},
	{"a CA that is none", WHOLE("certificate-authority: nonsense", ""), ERR_INVALID, "PEM",
		NULL, NULL, NULL, NULL, NULL},
	{"a CA that is not there", WHOLE("certificate-authority: nowhere", ""), ERR_INVALID,
		"no such file", NULL, NULL, NULL, NULL, NULL},
	{"data that is no base64", WHOLE("certificate-authority-data: '?'", ""), ERR_INVALID,
		"base64", NULL, NULL, NULL, NULL, NULL},
	{"a certificate without its key", WHOLE("", "client-certificate: me.crt"), ERR_INVALID,
		"without its key", NULL, NULL, NULL, NULL, NULL},
	{"a key alone", WHOLE("", "client-key: me.key"), ERR_INVALID, "key alone", NULL, NULL, NULL,
		NULL, NULL},
	{"a key that is a certificate", WHOLE("", "client-certificate: me.crt, client-key: me.crt"),
		ERR_INVALID, "PRIVATE KEY", NULL, NULL, NULL, NULL, NULL},
	{"exec", WHOLE("", "exec: {command: aws}"), ERR_INVALID, "'exec'", NULL, NULL, NULL, NULL,
		NULL},
	{"auth-provider", WHOLE("", "auth-provider: {name: gcp}"), ERR_INVALID, "'auth-provider'",
		NULL, NULL, NULL, NULL, NULL},
	{"basic", WHOLE("", "username: me, password: x"), ERR_INVALID, "'username'", NULL, NULL,
		NULL, NULL, NULL},
	{"impersonation", WHOLE("", "act-as: root"), ERR_INVALID, "'act-as'", NULL, NULL, NULL,
		NULL, NULL},
	{"a token that would break the header", WHOLE("", "token: \"a\\r\\nX: y\""), ERR_INVALID,
		"token", NULL, NULL, NULL, NULL, NULL},
	{"a server that is none",
		HEAD CTX "clusters: [{name: c, cluster: {server: 'h:6443'}}]\n" USER(""),
		ERR_INVALID, "no http or https", NULL, NULL, NULL, NULL, NULL},
	{"a server with a user",
		HEAD CTX "clusters: [{name: c, cluster: {server: 'https://a@b'}}]\n" USER(""),
		ERR_INVALID, "no address", NULL, NULL, NULL, NULL, NULL},
	{"no server", HEAD CTX "clusters: [{name: c, cluster: {}}]\n" USER(""), ERR_INVALID,
		"server", NULL, NULL, NULL, NULL, NULL},
};

static void check_token(const char *row, struct kube_config *c, const char *want)
{
	struct str token = STR_NULL;

	if (!c->token)
		fail_msg("%s: no token", row);
	assert_ok(row, kube_token_get(c->token, 1, &token, err));
	if (!base_str_eq(token, base_str(want)))
		fail_msg("%s: token '%.*s'", row, STR_FMT(token));
}

static void check_text(const char *row, struct str have, const char *want)
{
	if (want && !base_str_eq(have, base_str(want)))
		fail_msg("%s: '%.*s' is not '%s'", row, STR_FMT(have), want);
}

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(kube_config_free) struct kube_config *c = NULL;
		struct err why = {0};
		struct str ca = STR_NULL;
		write_file("config", rows[i].text);
		const int r = kube_config_load(path_of("config"), NULL, &c, &why);
		if (r != -(int)rows[i].class)
			fail_msg("%s: %s: %s", rows[i].name, base_err_class_name(why.class),
				why.msg);
		if (rows[i].says && !strstr(why.msg, rows[i].says))
			fail_msg("%s: says %s", rows[i].name, why.msg);
		if (r < 0)
			continue;
		check_text(rows[i].name, c->server, rows[i].server);
		check_text(rows[i].name, c->ns, rows[i].ns);
		check_text(rows[i].name, c->cert_pem, rows[i].cert);
		assert_ok(rows[i].name, kube_config_ca(c, 1, &ca, err));
		check_text(rows[i].name, ca, rows[i].ca);
		if (rows[i].token)
			check_token(rows[i].name, c, rows[i].token);
	}
}

static void test_depth(void **state)
{
	char deep[400];
	struct kube_config *c = NULL;

	(void)state;
	memset(deep, '[', 70);
	memset(deep + 70, ']', 70);
	deep[140] = 0;
	write_file("config", deep);
	assert_class("70 levels", ERR_INVALID, kube_config_load(path_of("config"), NULL, &c, err));
}

static void test_several_files(void **state)
{
	_cleanup_(kube_config_free) struct kube_config *c = NULL;
	char list[600];

	(void)state;
	write_file("one", "contexts: [{name: x, context: {cluster: c}}]\n");
	/* Paths start at the file where they stand; the first that defines a name wins whole. */
	write_file("sub/two", "clusters: [{name: c, cluster: {server: 'https://two',"
			      " certificate-authority: ca.crt}}]\ncurrent-context: x\n");
	write_file("three", "clusters: [{name: c, cluster: {server: 'https://three'}}]\n"
			    "contexts: [{name: y, context: {cluster: c, namespace: z}}]\n"
			    "current-context: y\n");
	(void)snprintf(
		list, sizeof(list), ":%s/one:%s/missing:%s/sub/two::%s/three", dir, dir, dir, dir);
	set("KUBECONFIG", list);
	assert_ok("list", kube_config_load(NULL, NULL, &c, err));
	assert_true(base_str_eq(c->server, STR("https://two")));
	assert_true(base_str_eq(base_buf_str(&c->ca), STR(CERT2)));
	c = kube_config_free(c);
	assert_ok("another context", kube_config_load(NULL, "y", &c, err));
	assert_true(base_str_eq(c->ns, STR("z")));
	c = kube_config_free(c);
	assert_class("no such context", ERR_INVALID, kube_config_load(NULL, "q", &c, err));
	set("KUBECONFIG", path_of("missing"));
	assert_class("nowhere", ERR_NOT_FOUND, kube_config_load(NULL, NULL, &c, err));
	assert_class("an explicit one must exist", ERR_NOT_FOUND,
		kube_config_load(path_of("missing"), NULL, &c, err));
	set("KUBECONFIG", NULL);
	set("HOME", dir);
	(void)mkdir(path_of(".kube"), 0700);
	write_file(".kube/config", "clusters: [{name: c, cluster: {server: 'https://home'}}]\n"
				   "contexts: [{name: x, context: {cluster: c}}]\n"
				   "current-context: x\n");
	assert_ok("home", kube_config_load(NULL, "", &c, err));
	assert_true(base_str_eq(c->server, STR("https://home")));
}

static void write_account(const char *name, const char *text)
{
	char path[160];

	(void)snprintf(path, sizeof(path), ".%s/%s", KUBE_SERVICE_ACCOUNT, name);
	write_file(path, text);
}

static void make_account(void)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "mkdir -p %s/.%s", dir, KUBE_SERVICE_ACCOUNT);
	assert_int_equal(shell(command), 0);
}

static void test_in_cluster(void **state)
{
	_cleanup_(kube_config_free) struct kube_config *c = NULL;
	struct str ca = STR_NULL;
	char root[80];

	(void)state;
	(void)snprintf(root, sizeof(root), "%s/.", dir);
	assert_class("no variables", ERR_NOT_FOUND, kube_config_in_cluster(root, &c, err));
	set("KUBERNETES_SERVICE_HOST", "fd00::1");
	assert_class("no port", ERR_NOT_FOUND, kube_config_in_cluster(root, &c, err));
	set("KUBERNETES_SERVICE_PORT", "443");
	assert_class("no token", ERR_NOT_FOUND, kube_config_in_cluster(root, &c, err));
	make_account();
	write_account("token", "t1\n");
	write_account("namespace", "prod\n");
	write_account("ca.crt", CERT);
	assert_ok("in a cluster", kube_config_in_cluster(root, &c, err));
	assert_true(base_str_eq(c->server, STR("https://[fd00::1]:443")));
	assert_true(base_str_eq(c->ns, STR("prod")));
	check_token("first", c, "t1");

	/* The CA is read again once a minute; nonsense leaves the old one. */
	const int64_t s = NS_PER_S;
	assert_ok("ca", kube_config_ca(c, 1000 * s, &ca, err));
	assert_true(base_str_eq(ca, STR(CERT)));
	write_account("ca.crt", CERT2);
	assert_ok("ca", kube_config_ca(c, 1059 * s, &ca, err));
	assert_true(base_str_eq(ca, STR(CERT)));
	assert_ok("ca", kube_config_ca(c, 1060 * s, &ca, err));
	assert_true(base_str_eq(ca, STR(CERT2)));
	write_account("ca.crt", "-----BEGIN CERTIFICATE-----\nMAMC");
	assert_ok("ca", kube_config_ca(c, 2000 * s, &ca, err));
	assert_true(base_str_eq(ca, STR(CERT2)));
	c = kube_config_free(c);
	set("KUBERNETES_SERVICE_PORT", "70000");
	assert_class("a port that is none", ERR_INVALID, kube_config_in_cluster(root, &c, err));
	set("KUBERNETES_SERVICE_PORT", "443");
	set("KUBERNETES_SERVICE_HOST", "h/../x");
	assert_class("a host that is none", ERR_INVALID, kube_config_in_cluster(root, &c, err));
	set("KUBERNETES_SERVICE_HOST", "10.0.0.1");
	set("POD_NAMESPACE", "mine");
	assert_ok("by variable", kube_config_in_cluster(root, &c, err));
	assert_true(base_str_eq(c->ns, STR("mine")));
	set("KUBERNETES_SERVICE_HOST", NULL);
	set("POD_NAMESPACE", NULL);
}

static void test_token_rotates(void **state)
{
	_cleanup_(kube_token_free) struct kube_token *t = NULL;
	struct str s = STR_NULL;
	const int64_t sec = NS_PER_S;

	(void)state;
	write_file("rotating", "one\n");
	assert_ok("new", kube_token_new(path_of("rotating"), STR_NULL, &t, err));
	assert_ok("get", kube_token_get(t, 100 * sec, &s, err));
	assert_true(base_str_eq(s, STR("one")));
	write_file("rotating", "two");
	assert_ok("not yet", kube_token_get(t, 149 * sec, &s, err));
	assert_true(base_str_eq(s, STR("one")));
	assert_ok("after 50 s", kube_token_get(t, 150 * sec, &s, err));
	assert_true(base_str_eq(s, STR("two")));
	/* A request that was started before it was read says nothing about it. */
	write_file("rotating", "three");
	assert_true(kube_token_refused(t, 149 * sec));
	assert_ok("old refusal", kube_token_get(t, 151 * sec, &s, err));
	assert_true(base_str_eq(s, STR("two")));
	assert_true(kube_token_refused(t, 151 * sec));
	assert_ok("refused", kube_token_get(t, 152 * sec, &s, err));
	assert_true(base_str_eq(s, STR("three")));
	/* What cannot be read, is empty or is no token leaves the last good one. */
	static const char *const bad[] = {"", " \n", "a b", "a\x01", "\xc3\xa4"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file("rotating", bad[i]);
		assert_ok(bad[i], kube_token_get(t, (1000 + 100 * (int64_t)i) * sec, &s, err));
		assert_true(base_str_eq(s, STR("three")));
	}
	unlink(path_of("rotating"));
	assert_ok("gone", kube_token_get(t, 5000 * sec, &s, err));
	assert_true(base_str_eq(s, STR("three")));
	write_file("rotating", "four");
	assert_ok("back", kube_token_get(t, 5001 * sec, &s, err));
	assert_true(base_str_eq(s, STR("four")));
}

static void test_token_never_there(void **state)
{
	_cleanup_(kube_token_free) struct kube_token *t = NULL;
	_cleanup_(kube_token_free) struct kube_token *fixed = NULL;
	struct str s = STR_NULL;

	(void)state;
	assert_class("nothing", ERR_INVALID, kube_token_new(NULL, STR_NULL, &t, err));
	assert_ok("new", kube_token_new(path_of("never"), STR_NULL, &t, err));
	assert_class("never", ERR_DENIED, kube_token_get(t, 1, &s, err));
	assert_ok("fixed", kube_token_new(NULL, STR("f"), &fixed, err));
	assert_false(kube_token_refused(fixed, 1));
	assert_ok("get", kube_token_get(fixed, 1, &s, err));
	assert_true(base_str_eq(s, STR("f")));
}

static int load_case(void *ctx, struct err *err)
{
	_cleanup_(kube_config_free) struct kube_config *c = NULL;

	TRY(kube_config_load(ctx, NULL, &c, err));
	return 0;
}

static void test_no_memory(void **state)
{
	char path[192];

	(void)state;
	write_file("config", rows[1].text);
	(void)snprintf(path, sizeof(path), "%s", path_of("config"));
	assert_true(torture_run("load", load_case, path, 1) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_several_files),
		cmocka_unit_test(test_in_cluster),
		cmocka_unit_test(test_token_rotates),
		cmocka_unit_test(test_token_never_there),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
