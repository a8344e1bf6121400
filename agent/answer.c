#include "agent/answer.h"

#include "pkg/base/text.h"

#include <stdio.h>
#include <strings.h>

#define FORWARDED "x-forwarded-"

void agent_answer_problem(struct http_request *r, const struct err *err)
{
	const struct agent_problem_row *row = agent_problem_row(agent_problem_of(err));
	const unsigned retry = err->retry_after ? err->retry_after : row->retry_after;

	http_reply_problem(
		r, (unsigned)row->status, row->uri, row->title, base_str(err->msg), retry);
}

int agent_answer_refused(const struct err *refused, struct err *err)
{
	if (err)
		*err = *refused;
	return -(int)refused->class;
}

struct err agent_answer_not_read(void)
{
	struct err err = {0};

	(void)!REFUSE_AS(&err, NOT_READ,
		"the client sends on, and has not read a byte of the answer for %d s: read the "
		"answer while sending, or send at most 1 MiB",
		(int)(AGENT_STALL_NS / NS_PER_S));
	return err;
}

int agent_answer_allowed(const struct http_request *r, struct err *err)
{
	struct str value = STR_NULL;

	if (http_is_unix(r))
		return 0;
	if (http_header(r, "FunctionKey-Client", &value) != 1 || !base_str_eq(value, STR("1")))
		return REFUSE_AS(
			err, DENIED, "over TCP the header FunctionKey-Client: 1 is needed");
	return agent_answer_plain(r, err);
}

int agent_answer_plain(const struct http_request *r, struct err *err)
{
	struct str name = STR_NULL, value = STR_NULL;

	for (size_t i = 0; http_header_at(r, i, &name, &value); i++)
		if (name.n >= sizeof(FORWARDED) - 1 &&
			strncasecmp(name.p, FORWARDED, sizeof(FORWARDED) - 1) == 0)
			return REFUSE_AS(err, DENIED, "forwarded requests are not served");
	return 0;
}

int agent_answer_hex(
	struct http_request *r, const char *name, const uint8_t *p, size_t n, struct err *err)
{
	char hex[2 * 33 + 1];

	base_assert(n <= 33);
	base_hex(p, n, hex);
	return http_add_header(r, name, base_str(hex), err);
}

int agent_answer_number(struct http_request *r, const char *name, uint64_t n, struct err *err)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return http_add_header(r, name, base_str(text), err);
}
