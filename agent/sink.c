#include "agent/sink.h"

#include "pkg/base/text.h"
#include "pkg/kube/json.h"

#include <stdio.h>

/* -- the URL -- */

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '.' || c == '_'))
			return false;
	}
	return s.n > 0 && s.n <= AGENT_SINK_HOST_MAX;
}

static bool is_six(struct str s)
{
	if (s.n < 4 || s.n > AGENT_SINK_HOST_MAX || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.n; i++) {
		const char c = s.p[i];
		if (!((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') ||
			    c == ':' || c == '.'))
			return false;
	}
	return true;
}

/* "host", "host:port", "[address]", "[address]:port". */
static int read_authority(struct str s, struct agent_sink *sink, struct err *err)
{
	const size_t bracket = s.n && s.p[0] == '[' ? base_str_find(s, ']', 0) : 0;
	const size_t colon = base_str_find(s, ':', bracket);
	const struct str host = base_str_sub(s, 0, colon);
	uint64_t port = sink->tls ? 443 : 80;

	if (!is_host(host) && !is_six(host))
		return FAIL(err, ERR_INVALID, "the URL names no host");
	if (colon < s.n &&
		(base_parse_u64(base_str_sub(s, colon + 1, s.n), UINT16_MAX, &port, NULL) < 0 ||
			port == 0))
		return FAIL(err, ERR_INVALID, "the URL's port is none");
	(void)snprintf(
		sink->address, sizeof(sink->address), "%.*s:%u", STR_FMT(host), (unsigned)port);
	return base_str_copy(s, sink->host, sizeof(sink->host), "host", err);
}

/* Sent as it stands: nothing that could end the request line. */
static int read_target(struct str s, struct agent_sink *sink, struct err *err)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '#')
			return FAIL(err, ERR_INVALID,
				"the URL holds a fragment, white space, or what is not ASCII");
	(void)snprintf(sink->target, sizeof(sink->target), "%s%.*s",
		s.n && s.p[0] == '/' ? "" : "/", STR_FMT(s));
	return 0;
}

int agent_sink_parse(struct str url, struct agent_sink *ret_sink, struct err *err)
{
	struct agent_sink sink = {.tls = base_str_starts(url, STR("https://"))};
	const size_t from = sink.tls ? sizeof("https://") - 1 : sizeof("http://") - 1;

	if (url.n > AGENT_SINK_URL_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a URL of %zu bytes", url.n);
	if (!sink.tls && !base_str_starts(url, STR("http://")))
		return FAIL(err, ERR_INVALID, "the URL is not of http or https");
	size_t end = base_str_find(url, '/', from);
	const size_t query = base_str_find(url, '?', from);
	if (query < end)
		end = query;
	TRY(read_authority(base_str_sub(url, from, end), &sink, err));
	TRY(read_target(base_str_sub(url, end, url.n), &sink, err));
	*ret_sink = sink;
	return 0;
}

/* -- extensions -- */

static bool is_taken(const struct agent_extensions *x, struct str name)
{
	static const char *const own[] = {"id", "source", "specversion", "type", "subject", "time",
		"dataschema", "datacontenttype", "data"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (base_str_eq(name, base_str(own[i])))
			return true;
	for (size_t i = 0; i < x->n; i++)
		if (base_str_eq(name, x->v[i].name))
			return true;
	return false;
}

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
			    (name.p[i] >= '0' && name.p[i] <= '9')))
			return false;
	return name.n > 0 && name.n <= AGENT_EXTENSION_NAME_MAX;
}

static int read_extension(struct kube_json *r, struct str name, struct arena *arena,
	struct agent_extensions *x, struct err *err)
{
	struct str value = STR_NULL;

	if (!is_name(name) || is_taken(x, name))
		return FAIL(err, ERR_INVALID, "an extension's name is none, or is taken");
	if (x->n == AGENT_EXTENSIONS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d extensions", AGENT_EXTENSIONS_MAX);
	/* Borrowed until the next call. */
	TRY(base_arena_str(arena, name, &x->v[x->n].name, err));
	TRY(kube_json_string(r, arena, &value, err));
	if (value.n > AGENT_EXTENSION_MAX)
		return FAIL(err, ERR_TOO_LARGE, "an extension of %zu bytes", value.n);
	x->v[x->n++].value = value;
	return 0;
}

static int read_extensions(
	struct kube_json *r, struct arena *arena, struct agent_extensions *x, struct err *err)
{
	struct str name = STR_NULL;
	bool more = false;

	TRY(kube_json_null(r, &more, err));
	if (more)
		return 0;
	TRY(kube_json_object_begin(r, err));
	for (;;) {
		TRY(kube_json_next_key(r, &name, &more, err));
		if (!more)
			return 0;
		TRY(read_extension(r, name, arena, x, err));
	}
}

int agent_extensions_parse(struct str json, struct arena *arena,
	struct agent_extensions *ret_extensions, struct err *err)
{
	struct agent_extensions x = {0};
	struct kube_json r;
	struct str key = STR_NULL;
	bool more = json.n > 0;

	if (!more) {
		*ret_extensions = x;
		return 0;
	}
	TRY(kube_json_init(&r, json, err));
	TRY(kube_json_object_begin(&r, err));
	for (;;) {
		TRY(kube_json_next_key(&r, &key, &more, err));
		if (!more)
			break;
		if (base_str_eq(key, STR("extensions")))
			TRY(read_extensions(&r, arena, &x, err));
		else
			TRY(kube_json_skip(&r, err));
	}
	TRY(kube_json_end(&r, err));
	*ret_extensions = x;
	return 0;
}
