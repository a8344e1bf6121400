#include "controller/address.h"

#include "pkg/base/text.h"

#include <arpa/inet.h>

int controller_address_parse(const char *option, const char *text,
	struct controller_address *ret_address, struct err *err)
{
	struct controller_address a = {0};
	struct in6_addr address;
	struct str host = base_str(text);
	size_t colon = host.n;
	uint64_t port = 0;

	while (colon > 0 && host.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || base_parse_u64(base_str_sub(host, colon, host.n), 65535, &port, NULL) < 0)
		return FAIL(
			err, ERR_INVALID, "%s: \"%s\" is not <IP address>:<port>", option, text);
	host = base_str_sub(host, 0, colon - 1);
	a.v6 = base_str_starts(host, STR("[")) && base_str_ends(host, STR("]"));
	if (a.v6)
		host = base_str_sub(host, 1, host.n - 1);
	TRY(base_str_copy(host, a.host, sizeof(a.host), option, err));
	if (inet_pton(a.v6 ? AF_INET6 : AF_INET, a.host, &address) != 1)
		return FAIL(err, ERR_INVALID, "%s: \"%s\" is no IP address", option, a.host);
	a.any = base_str_eq(host, STR("0.0.0.0")) || base_str_eq(host, STR("::"));
	a.port = (uint16_t)port;
	*ret_address = a;
	return 0;
}
