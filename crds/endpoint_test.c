#include "crds/endpoint.h"

#include "pkg/base/test.h"

#include <arpa/inet.h>

static const struct {
	const char *endpoint;
	int family; /* AF_UNSPEC: refused */
	uint16_t port;
} rows[] = {
	{"10.0.0.1:9471", AF_INET, 9471},
	{"127.0.0.1:1", AF_INET, 1},
	{"255.255.255.255:65535", AF_INET, 65535},
	{"[fd00::1]:9471", AF_INET6, 9471},
	{"[::]:80", AF_INET6, 80},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:80", AF_INET6, 80},
	{"", AF_UNSPEC, 0},
	{":", AF_UNSPEC, 0},
	{":9471", AF_UNSPEC, 0},
	{"10.0.0.1", AF_UNSPEC, 0},
	{"10.0.0.1:", AF_UNSPEC, 0},
	{"10.0.0.1:0", AF_UNSPEC, 0},
	{"10.0.0.1:65536", AF_UNSPEC, 0},
	{"10.0.0.1:-1", AF_UNSPEC, 0},
	{"10.0.0.1:+1", AF_UNSPEC, 0},
	{"10.0.0.1:080", AF_UNSPEC, 0},
	{"10.0.0.1: 80", AF_UNSPEC, 0},
	{"10.0.0.1:80/x", AF_UNSPEC, 0},
	{"10.0.0.1:80:90", AF_UNSPEC, 0},
	{"10.0.0:80", AF_UNSPEC, 0},
	{"10.0.0.256:80", AF_UNSPEC, 0},
	{"010.0.0.1:80", AF_UNSPEC, 0},
	{"0x7f000001:80", AF_UNSPEC, 0},
	{"10.0.0.1\r\nHost: x:80", AF_UNSPEC, 0},
	{"\001:1", AF_UNSPEC, 0},
	{"fd00::1:9471", AF_UNSPEC, 0},
	{"[10.0.0.1]:9471", AF_UNSPEC, 0},
	{"[fd00::1]", AF_UNSPEC, 0},
	{"[fd00::1]:", AF_UNSPEC, 0},
	{"[fd00::1", AF_UNSPEC, 0},
	{"[fd00::1%eth0]:80", AF_UNSPEC, 0},
	{"[]:9471", AF_UNSPEC, 0},
	{"localhost:80", AF_UNSPEC, 0},
	{"metadata.internal:80", AF_UNSPEC, 0},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage a = {.ss_family = AF_UNIX};
		struct err why = {0};
		const int r = crds_endpoint_parse(base_str(rows[i].endpoint), &a, &why);
		if ((r == 0) != (rows[i].family != AF_UNSPEC))
			fail_msg("\"%s\": %s", rows[i].endpoint, r < 0 ? why.msg : "taken");
		if (r < 0) {
			if (r != -(int)ERR_INVALID || a.ss_family != AF_UNIX)
				fail_msg("\"%s\": refused wrongly", rows[i].endpoint);
			continue;
		}
		const uint16_t port = a.ss_family == AF_INET
					      ? ((const struct sockaddr_in *)&a)->sin_port
					      : ((const struct sockaddr_in6 *)&a)->sin6_port;
		if (a.ss_family != rows[i].family || ntohs(port) != rows[i].port)
			fail_msg("\"%s\": family %d, port %u", rows[i].endpoint, a.ss_family,
				(unsigned)ntohs(port));
	}
}

static void test_nul_within(void **state)
{
	struct sockaddr_storage a;
	struct err why = {0};

	(void)state;
	assert_int_equal(crds_endpoint_parse(STR("10.0.0.1\0:80"), &a, &why), -(int)ERR_INVALID);
}

static void test_split(void **state)
{
	struct str host = STR_NULL;
	uint16_t port = 1;

	(void)state;
	assert_ok("ephemeral", crds_endpoint_split(STR("[::1]:0"), &host, &port, err));
	assert_true(base_str_eq(host, STR("::1")));
	assert_int_equal(port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_nul_within),
		cmocka_unit_test(test_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
