/* Endpoints of Leader records: what is taken is an IP address and a port, and printed again it is
 * the same one. */
#include "crds/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage a, again;
	char host[INET6_ADDRSTRLEN];
	char text[INET6_ADDRSTRLEN + 16];

	if (crds_endpoint_parse(base_str_n(data, size), &a, NULL) < 0)
		return 0;
	const bool six = a.ss_family == AF_INET6;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a;
	base_assert(six || a.ss_family == AF_INET);
	base_assert(inet_ntop(a.ss_family,
		six ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host,
		sizeof(host)));
	(void)snprintf(text, sizeof(text), six ? "[%s]:%u" : "%s:%u", host,
		(unsigned)ntohs(six ? in6->sin6_port : in->sin_port));
	base_assert(crds_endpoint_parse(base_str(text), &again, NULL) == 0);
	base_assert(memcmp(&a, &again, sizeof(a)) == 0);
	return 0;
}
