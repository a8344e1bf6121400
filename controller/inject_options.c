/* Annotations whose values matter: where keys are announced, and the port of metrics. The rules are
 * those of manifests/base/injection.yaml. */
#include "controller/inject_impl.h"

#include "pkg/base/text.h"

#define URL_MAX       1000 /* characters behind http:// or https:// */
#define OVERRIDES_MAX 2000
#define CA_MAX        8000
#define PORT_DIGITS   5

static bool is_printable(struct str s, char least, bool lines)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < least || s.p[i] > '~') && !(lines && s.p[i] == '\n'))
			return false;
	return true;
}

static bool is_url(struct str s)
{
	const size_t from = base_str_starts(s, STR("https://"))  ? 8
			    : base_str_starts(s, STR("http://")) ? 7
								 : s.n;

	return s.n > from && s.n - from <= URL_MAX && is_printable(s, '!', false);
}

void controller_inject_take_sink(
	struct controller_inject_sink *sink, struct str name, struct str value)
{
	if (base_str_eq(name, STR("K_SINK")) && !sink->url.n && is_url(value))
		sink->url = value;
	else if (base_str_eq(name, STR("K_CE_OVERRIDES")) && !sink->overrides.n &&
		 value.n <= OVERRIDES_MAX && is_printable(value, ' ', false))
		sink->overrides = value;
	else if (base_str_eq(name, STR("K_CA_CERTS")) && !sink->ca.n && value.n <= CA_MAX &&
		 is_printable(value, ' ', true))
		sink->ca = value;
}

static bool wants_sink(const struct controller_inject_review *r)
{
	return base_str_eq(r->announce_note, STR("true"));
}

struct controller_inject_sink controller_inject_sink(const struct controller_inject_review *r)
{
	if (is_url(r->announce_note))
		return (struct controller_inject_sink){.url = r->announce_note};
	for (size_t i = 0; wants_sink(r) && i < r->main.n; i++)
		if (r->main.items[i].sink.url.n)
			return r->main.items[i].sink;
	return (struct controller_inject_sink){0};
}

bool controller_inject_late_sink(const struct controller_inject_review *r)
{
	for (size_t i = 0; i < r->init.n; i++)
		if (base_str_eq(r->init.items[i].name, STR(CRDS_AGENT_NAME)))
			return wants_sink(r) && r->init.items[i].has_env &&
			       !r->init.items[i].announces && controller_inject_sink(r).url.n > 0;
	return false;
}

struct str controller_inject_metrics(const struct controller_inject_review *r)
{
	const struct str note = r->metrics_note;
	uint64_t port = 0;

	if (base_str_eq(note, STR("true")))
		return INJECT_METRICS_PORT;
	return note.n <= PORT_DIGITS && base_parse_u64(note, UINT16_MAX, &port, NULL) == 0 &&
			       port > 0
		       ? note
		       : STR_NULL;
}

static bool is_false(struct str note)
{
	return !note.p || base_str_eq(note, STR("false"));
}

const char *controller_inject_announce_advice(const struct controller_inject_review *r)
{
	if (is_false(r->announce_note) || controller_inject_sink(r).url.n)
		return NULL;
	if (wants_sink(r))
		return "functionkey: annotation functionkey.dev/announce is \"true\", but no "
		       "container has a literal K_SINK that is an http or https URL: no key is "
		       "announced";
	return "functionkey: annotation functionkey.dev/announce is neither \"true\", \"false\" "
	       "nor "
	       "an http or https URL: no key is announced";
}

const char *controller_inject_metrics_advice(const struct controller_inject_review *r)
{
	if (is_false(r->metrics_note) || controller_inject_metrics(r).n)
		return NULL;
	return "functionkey: annotation functionkey.dev/metrics is neither \"true\", \"false\" nor "
	       "a "
	       "port: metrics are not served on the pod's address";
}
