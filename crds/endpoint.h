/* Where an agent is reached, as it stands in a Leader record: "<IP address>:<port>", IPv6 in
 * brackets. Never a name: whoever writes a record does not make us ask a resolver.
 *
 * Layer: base.
 */
#ifndef CRDS_ENDPOINT_H
#define CRDS_ENDPOINT_H

#include "pkg/base/err.h"
#include "pkg/base/str.h"

#include <stdint.h>
#include <sys/socket.h>

/* The two parts. *ret_host is borrowed, without brackets, and not looked at; a port of 0 is
 * allowed. INVALID: no port, a port above 65535, an IPv6 address without brackets or another one
 * with them. */
int crds_endpoint_split(
	struct str endpoint, struct str *ret_host, uint16_t *ret_port, struct err *err) must_check;

/* As a socket address to connect to: a sockaddr_in or a sockaddr_in6. INVALID: also a host that is
 * no IP address, and port 0. */
int crds_endpoint_parse(struct str endpoint, struct sockaddr_storage *ret_address, struct err *err)
	must_check;

#endif
