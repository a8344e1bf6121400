#include "agent/inbound_internal.h"

#include "pkg/base/text.h"
#include "pkg/http/target.h"

#include <stdio.h>

/* Methods whose requests have a body even if it is empty. */
static bool brings_body(struct str method)
{
	return base_str_eq(method, STR("POST")) || base_str_eq(method, STR("PUT")) ||
	       base_str_eq(method, STR("PATCH"));
}

static int add_field(void *ctx, const char *name, struct str value, struct err *err)
{
	return http_call_header(ctx, base_str(name), value, err);
}

static int add_own(struct agent_inbound *in, const struct agent_opened *opened, struct err *err)
{
	const struct agent_report report = {.add = add_field, .ctx = in->call};

	char id[2 * ENVELOPE_ID_LEN + 1];

	base_hex(opened->header->id, ENVELOPE_ID_LEN, id);
	TRY(http_call_header(in->call, STR("Functionkey-Id"), base_str(id), err));
	TRY(http_call_header(in->call, STR("Functionkey-Epoch-State"),
		base_str(agent_epoch_state_name(opened->state)), err));
	return agent_report_sender(agent_opening_sender(in->opening), &report, err);
}

static int add_headers(struct agent_inbound *in, const struct bhttp_head *head, struct err *err)
{
	TRY(add_own(in, agent_opening_head(in->opening), err));
	for (size_t i = 0; i < head->fields.n; i++) {
		const struct bhttp_field *f = &head->fields.v[i];
		if (!agent_fields_own(f->name))
			TRY(http_call_header(in->call, f->name, f->value, err));
	}
	return 0;
}

static int check(struct agent_inbound *in, const struct bhttp_head *head, struct err *err)
{
	const struct agent_opened *opened = agent_opening_head(in->opening);
	struct http_target target;

	if (!base_str_eq(opened->header->type, STR(AGENT_BHTTP)))
		return REFUSE_AS(err, MALFORMED, "the sealed request is no Binary HTTP");
	/* Whoever the key was taken from may have made this. A sender that looks sees a new one. */
	if (opened->state == CRDS_REVOKED)
		return REFUSE_AS(err, STALE_EPOCH, "sealed to a key that was revoked");
	if (http_target_parse(head->path, &target, NULL) < 0)
		return REFUSE_AS(err, MALFORMED, "the request's target is no plain path");
	return 0;
}

int agent_inbound_call(struct agent_inbound *in, bool all, struct err *err)
{
	const struct bhttp_head *head = bhttp_decoded_head(&in->decoder);
	char method[BHTTP_METHOD_MAX + 1];
	char path[BHTTP_TARGET_MAX + 1];
	char host[300];
	char address[32];

	TRY(check(in, head, err));
	TRY(base_str_copy(head->method, method, sizeof(method), "method", err));
	TRY(base_str_copy(head->path, path, sizeof(path), "target", err));
	TRY(base_str_copy(head->authority.n ? head->authority : STR("localhost"), host,
		sizeof(host), "authority", err));
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", in->app->proxy->inbound_port);
	const struct agent_sender *sender = agent_opening_sender(in->opening);
	in->tells_level = sender->level != ENVELOPE_SENDER_NONE && sender->stated > sender->level;
	/* What is known at the end only comes as a trailer, for which chunks are needed. */
	const bool known =
		!in->tells_level && (head->has_length || (all && in->decoder.trailers.n == 0));
	const uint64_t length = head->has_length ? head->length : agent_pending_len(&in->body);
	in->is_head = base_str_eq(head->method, STR("HEAD"));
	if (in->is_head && (!known || length > 0))
		return REFUSE_AS(err, MALFORMED, "a request by HEAD has no content");
	const struct http_call_request request = {.method = method,
		.address = address,
		.host = host,
		.target = path,
		.has_body = !known || length > 0 || brings_body(head->method),
		.has_length = known,
		.length = length,
		.connect_ns = AGENT_PROXY_CONNECT,
		.idle_ns = AGENT_PROXY_IDLE};
	TRY(http_call_new(
		in->app->proxy->client, &request, &agent_inbound_call_ops, in, &in->call, err));
	TRY(add_headers(in, head, err));
	return http_call_start(in->call, err);
}
