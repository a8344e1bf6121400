#include "agent/outbound_targets.h"

#include "crds/endpoint.h"
#include "pkg/base/text.h"

#include <stdio.h>

static bool is_label(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!alnum && (c != '-' || i == 0 || i == s.n - 1))
			return false;
	}
	return s.n > 0 && s.n <= 63;
}

/* "host:port", "[v6]:port" */
static bool is_address(struct str s)
{
	size_t colon = s.n;
	uint64_t port = 0;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || base_parse_u64(base_str_sub(s, colon, s.n), UINT16_MAX, &port, NULL) < 0 ||
		port == 0)
		return false;
	struct str host = base_str_sub(s, 0, colon - 1);
	const bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (v6)
		host = base_str_sub(host, 1, host.n - 1);
	for (size_t i = 0; i < host.n; i++) {
		const char c = host.p[i];
		const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
				  (c == '-' && !v6) || (c == ':' && v6);
		if (!good)
			return false;
	}
	return host.n > 0;
}

static int parse_row(struct str row, struct str home, struct agent_target *ret, struct err *err)
{
	const size_t equals = base_str_find(row, '=', 0);
	const struct str name = base_str_sub(row, 0, equals);
	const size_t slash = base_str_find(name, '/', 0);
	const struct str ns = slash < name.n ? base_str_sub(name, 0, slash) : home;
	const struct str function = slash < name.n ? base_str_sub(name, slash + 1, name.n) : name;
	const struct str address = base_str_sub(row, equals + 1, row.n);

	if (!is_label(ns) || !is_label(function))
		return FAIL(
			err, ERR_INVALID, "\"%.*s\" is not [namespace/]function", STR_FMT(name));
	if (equals < row.n && !is_address(address))
		return FAIL(err, ERR_INVALID, "\"%.*s\" is not host:port", STR_FMT(address));
	*ret = (struct agent_target){0};
	TRY(base_str_copy(ns, ret->ns, sizeof(ret->ns), "namespace", err));
	TRY(base_str_copy(function, ret->function, sizeof(ret->function), "function", err));
	return base_str_copy(address, ret->address, sizeof(ret->address), "address", err);
}

static bool separates(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ret NULL: only looks whether the list is good. */
static int parse_rows(struct str list, struct str home, struct agent_targets *ret, struct err *err)
{
	struct agent_target row;
	size_t n = 0;

	for (size_t at = 0; at < list.n;) {
		size_t end = at;
		while (end < list.n && !separates(list.p[end]))
			end++;
		if (end > at && n == AGENT_TARGETS_MAX)
			return FAIL(
				err, ERR_TOO_LARGE, "more than %d functions", AGENT_TARGETS_MAX);
		if (end > at) {
			TRY(parse_row(base_str_sub(list, at, end), home, &row, err));
			if (ret)
				ret->v[n] = row;
			n++;
		}
		at = end + 1;
	}
	if (ret)
		ret->n = n;
	return 0;
}

/* Twice, instead of into a copy: that would take 12 KiB of a stack that stays. */
int agent_targets_parse(
	struct str list, struct str home, struct agent_targets *ret, struct err *err)
{
	TRY(parse_rows(list, home, NULL, err));
	*ret = (struct agent_targets){0};
	return parse_rows(list, home, ret, err);
}

const struct agent_target *agent_targets_find(
	const struct agent_targets *t, struct str ns, struct str function)
{
	for (size_t i = 0; i < t->n; i++)
		if (base_str_eq(base_str(t->v[i].ns), ns) &&
			base_str_eq(base_str(t->v[i].function), function))
			return &t->v[i];
	return NULL;
}

int agent_target_of_endpoint(struct str endpoint, uint16_t port,
	char ret_address[static AGENT_TARGET_ADDRESS], struct err *err)
{
	struct sockaddr_storage parsed;
	struct str host = STR_NULL;
	uint16_t own = 0;

	/* An address in digits: no record makes us look up a name. */
	if (crds_endpoint_parse(endpoint, &parsed, err) < 0)
		return FAIL(err, ERR_INVALID, "the record's endpoint is no address");
	TRY(crds_endpoint_split(endpoint, &host, &own, err));
	const bool v6 = base_str_find(host, ':', 0) < host.n;
	(void)snprintf(ret_address, AGENT_TARGET_ADDRESS, v6 ? "[%.*s]:%u" : "%.*s:%u",
		STR_FMT(host), port);
	return 0;
}
