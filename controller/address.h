/* Where a server of the controller listens. Layer: controller. */
#ifndef CONTROLLER_ADDRESS_H
#define CONTROLLER_ADDRESS_H

#include "pkg/base/str.h"

struct controller_address {
	char host[64]; /* an IP address without brackets */
	uint16_t port;
	bool v6, any; /* any: all addresses of the machine */
};

/* "<IP>:<port>", IPv6 in brackets. INVALID, naming the option. */
int controller_address_parse(const char *option, const char *text,
	struct controller_address *ret_address, struct err *err) must_check;

#endif
