#include "agent/options.h"
#include "pkg/base/test.h"

#define WHO                                                                                \
	"--pod=p-1", "--namespace=shop", "--pod-uid=01234567-89ab-cdef-0123-456789abcdef", \
		"--pod-ip=10.0.0.7"

struct row {
	const char *name;
	const char *arguments[12];
	bool good;
};

static const struct row rows[] = {
	{"only who we are", {WHO}, true},
	{"nothing", {NULL}, false},
	{"lease", {WHO, "--lease-duration=6s", "--lease-renew-deadline=4s", "--lease-retry=1s"},
		true},
	{"deadline too long", {WHO, "--lease-renew-deadline=30s"}, false},
	{"retry too long", {WHO, "--lease-retry=17s"}, false},
	{"peer address", {WHO, "--peer-address=[::]:9471"}, true},
	{"peer address without port", {WHO, "--peer-address=0.0.0.0"}, false},
	{"peer address is a name", {WHO, "--peer-address=localhost:1"}, false},
	{"loopback", {WHO, "--local-address=127.0.0.1:9470"}, true},
	{"local, but for all", {WHO, "--local-address=0.0.0.0:9470"}, false},
	{"continuity", {WHO, "--continuity=refuse"}, true},
	{"continuity of another kind", {WHO, "--continuity=maybe"}, false},
	{"socket too long",
		{WHO, "--socket=/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
		false},
	{"proxy", {WHO, "--inbound=8080", "--outbound=billing,a/b=c:80", "--host-ip=10.0.0.1"},
		true},
	{"inbound is no port", {WHO, "--inbound=http"}, false},
	{"inbound is port 0", {WHO, "--inbound=0"}, false},
	{"inbound is too high", {WHO, "--inbound=65536"}, false},
	{"inbound without an address", {WHO, "--inbound=80", "--inbound-address="}, false},
	{"inbound address is a name", {WHO, "--inbound=80", "--inbound-address=a:1"}, false},
	{"outbound is no function", {WHO, "--outbound=http://a"}, false},
	{"senders",
		{WHO, "--sender=message", "--require-sender=origin", "--replay-window=300s",
			"--allow-senders=billing, a/b"},
		true},
	{"no level", {WHO, "--sender=twice"}, false},
	{"no level to require", {WHO, "--require-sender=1"}, false},
	{"a replay window without a unit", {WHO, "--replay-window=300"}, false},
	{"a replay window of days", {WHO, "--replay-window=48h"}, false},
	{"allowed senders that are no functions", {WHO, "--allow-senders=http://a"}, false},
	{"allowed senders with an address", {WHO, "--allow-senders=a=b:80"}, false},
	{"outbound on the host's network", {WHO, "--outbound=billing", "--host-ip=10.0.0.7"},
		false},
	{"only inbound there", {WHO, "--inbound=8080", "--host-ip=10.0.0.7"}, true},
	{"next", {WHO, "--next=other/billing"}, true},
	{"unknown", {WHO, "--what"}, false},
	{"argument", {WHO, "what"}, false},
};

static int parse(const struct row *row, struct agent_options *o, struct err *err)
{
	char *argv[16] = {(char[]){"functionkey-agent"}};
	char *const envp[] = {NULL};
	char texts[12][128];
	struct options_result result;
	int n = 1;

	for (size_t i = 0; i < ARRAY_LEN(row->arguments) && row->arguments[i]; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "%s", row->arguments[i]);
		argv[n++] = texts[i];
	}
	return base_options_parse(&agent_options_network, n, argv, envp, o, &result, err);
}

static void each_command_line_is_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_options o = {0};
		struct err why = {0};
		const int r = parse(&rows[i], &o, &why);
		if ((r == 0) != rows[i].good)
			fail_msg("%s: %s", rows[i].name, r < 0 ? why.msg : "taken");
	}
}

static void a_pod_without_owner_is_its_own_revision(void **state)
{
	struct agent_options o = {0};

	(void)state;
	assert_ok("parse", parse(&rows[0], &o, err));
	assert_string_equal(o.revision, "");
	assert_ok("complete", agent_options_complete(&o, err));
	assert_string_equal(o.revision, "p-1");
	assert_string_equal(o.function, "p-1");
	assert_string_equal(o.socket, AGENT_SOCKET_PATH);
	(void)snprintf(o.revision, sizeof(o.revision), "given");
	assert_ok("complete", agent_options_complete(&o, err));
	assert_string_equal(o.revision, "given");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_line_is_taken_or_refused),
		cmocka_unit_test(a_pod_without_owner_is_its_own_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
