/* A TCP socket that listens, for clusters of either IP family. Layer: base.
 *
 * "::" takes IPv4 as well, whatever the machine's net.ipv6.bindv6only says; where the kernel has no
 * IPv6, 0.0.0.0 takes its place. So one default serves IPv4, IPv6 and dual-stack clusters.
 */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include "pkg/base/err.h"

#include <sys/socket.h>

/* *ret_fd is non-blocking and closed on exec; the caller closes it. a is a sockaddr_in or a
 * sockaddr_in6. DENIED, TERMINAL (also: the address is in use). */
int base_listen(const struct sockaddr_storage *a, int backlog, int *ret_fd, struct err *err)
	must_check;

/* Whether the kernel has IPv6. */
bool base_has_ipv6(void);

#endif
