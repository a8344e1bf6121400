#include "pkg/http/impl.h"

enum { REQUESTS, LATENCY, CONNECTIONS, REFUSED };

#define SERVERS 4
#define ROUTES  32

static const char *const codes[] = {"200", "201", "202", "204", "400", "403", "404", "405", "408",
	"409", "410", "413", "414", "417", "422", "429", "431", "500", "501", "502", "503", "505",
	"cut", NULL};

static const struct metric_def defs[] = {
	[REQUESTS] = {"functionkey_http_requests_total",
		"Requests by route and status code; cut: the connection ended before the answer "
		"did.",
		METRIC_COUNTER,
		.labels = {{"server", .max = SERVERS}, {"route", .max = ROUTES},
			{"code", .values = codes}}},
	[LATENCY] = {"functionkey_http_request_duration_seconds",
		"From a request's first line to the end of its answer.", METRIC_HISTOGRAM,
		.labels = {{"server", .max = SERVERS}, {"route", .max = ROUTES}},
		.buckets = base_metric_seconds},
	[CONNECTIONS] = {"functionkey_http_connections", "Open connections.", METRIC_GAUGE,
		.labels = {{"server", .max = SERVERS}}},
	[REFUSED] = {"functionkey_http_refused_total",
		"Connections and requests refused before any handler.", METRIC_COUNTER,
		.labels = {{"server", .max = SERVERS}, {"reason", .values = http_refusal_labels}}},
};

int http_metrics_declare(struct metrics *m, struct err *err)
{
	return base_metrics_declare(m, defs, ARRAY_LEN(defs), err);
}

static struct str name_of(const struct http_server *s)
{
	return base_str(s->config.name);
}

void http_count_refusal(const struct http_server *s, const char *label)
{
	metric_add(s->config.metrics, &defs[REFUSED], 1, name_of(s), base_str(label));
}

void http_count_request(const struct http_request *r, unsigned status)
{
	const struct http_server *s = r->conn->s;
	const struct str route = r->route ? base_str(r->route->path) : STR("none");
	char code[16] = "cut";
	const double seconds = (double)(http_now(s) - r->begun_ns) / (double)NS_PER_S;

	if (!s->config.metrics)
		return;
	if (status)
		(void)snprintf(code, sizeof(code), "%u", status);
	metric_add(s->config.metrics, &defs[REQUESTS], 1, name_of(s), route, base_str(code));
	metric_observe(s->config.metrics, &defs[LATENCY], seconds, name_of(s), route);
}

void http_count_connections(const struct http_server *s)
{
	metric_set(s->config.metrics, &defs[CONNECTIONS], (double)s->connections, name_of(s));
}
