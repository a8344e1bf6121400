#include "crds/endpoint.h"

#include "pkg/base/text.h"

#include <arpa/inet.h>

int crds_endpoint_split(
	struct str endpoint, struct str *ret_host, uint16_t *ret_port, struct err *err)
{
	size_t colon = endpoint.n;
	uint64_t port = 0;

	while (colon > 0 && endpoint.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return FAIL(err, ERR_INVALID, "an endpoint without a port");
	TRY(base_parse_u64(base_str_sub(endpoint, colon, endpoint.n), 65535, &port, err));
	struct str host = base_str_sub(endpoint, 0, colon - 1);
	const bool six = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (six)
		host = base_str_sub(host, 1, host.n - 1);
	if (six != (base_str_find(host, ':', 0) < host.n) || host.n == 0)
		return FAIL(err, ERR_INVALID, "an IPv6 address stands in brackets");
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return 0;
}

int crds_endpoint_parse(struct str endpoint, struct sockaddr_storage *ret_address, struct err *err)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
	struct str text = STR_NULL;
	char host[INET6_ADDRSTRLEN];
	uint16_t port = 0;

	TRY(crds_endpoint_split(endpoint, &text, &port, err));
	if (base_str_copy(text, host, sizeof(host), "address", NULL) < 0)
		return FAIL(err, ERR_INVALID, "an endpoint is <IP address>:<port>");
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
	}
	if (address.ss_family == AF_UNSPEC || port == 0)
		return FAIL(err, ERR_INVALID, "an endpoint is <IP address>:<port>");
	*ret_address = address;
	return 0;
}
