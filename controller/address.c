#include "controller/address.h"

#include "crds/endpoint.h"

#include <arpa/inet.h>

int controller_address_parse(const char *option, const char *text,
	struct controller_address *ret_address, struct err *err)
{
	struct controller_address a = {0};
	struct in6_addr address;
	struct str host = STR_NULL;

	if (crds_endpoint_split(base_str(text), &host, &a.port, NULL) < 0)
		return FAIL(
			err, ERR_INVALID, "%s: \"%s\" is not <IP address>:<port>", option, text);
	a.v6 = base_str_find(host, ':', 0) < host.n;
	TRY(base_str_copy(host, a.host, sizeof(a.host), option, err));
	if (inet_pton(a.v6 ? AF_INET6 : AF_INET, a.host, &address) != 1)
		return FAIL(err, ERR_INVALID, "%s: \"%s\" is no IP address", option, a.host);
	a.any = base_str_eq(host, STR("0.0.0.0")) || base_str_eq(host, STR("::"));
	*ret_address = a;
	return 0;
}
