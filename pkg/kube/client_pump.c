/* The pump: one timer that moves all waiting calls on. */
#include "pkg/kube/client_impl.h"

#define CALLS_A_CONNECTION 4
#define CONNECTIONS_MIN    2
#define SLOW_NS            (500 * NS_PER_MS)

void kube_client_bury(struct kube_client *client)
{
	struct kube_call *call = NULL;

	while ((call = TAILQ_FIRST(&client->calls[KUBE_PLACE_DEAD])))
		kube_call_free(call);
}

static size_t length(const struct kube_client *client, enum kube_place place)
{
	const struct kube_call *call = NULL;
	size_t n = 0;

	TAILQ_FOREACH(call, &client->calls[place], link)
	n++;
	return n;
}

static void refill(struct kube_client *client, int64_t now)
{
	const int64_t max = 1000LL * client->options.burst;
	const int64_t dt = now - client->tokens_ns;

	if (dt <= 0)
		return;
	/* A long sleep fills it; the product below would overflow. */
	const int64_t more = dt > 3600 * NS_PER_S ? max : dt / 1000 * client->options.rate / 1000;
	if (!more)
		return;
	client->tokens_milli += more;
	client->tokens_ns = now;
	if (client->tokens_milli > max)
		client->tokens_milli = max;
}

static int end_expired(struct kube_client *client, enum kube_place place, int64_t now)
{
	struct kube_call *call = NULL;
	struct err err = {0};

	TAILQ_FOREACH(call, &client->calls[place], link)
	{
		if (!call->deadline_ns || call->deadline_ns > now)
			continue;
		(void)FAIL(&err, ERR_TRANSIENT, "%s %s: no time left while waiting to send it",
			kube_verb_name(call->request.verb), call->request.resource->plural);
		kube_call_end(call, &err);
		return 1;
	}
	return 0;
}

static void ripen(struct kube_client *client, int64_t now)
{
	struct kube_call *call = TAILQ_FIRST(&client->calls[KUBE_PLACE_LATER]);

	while (call) {
		struct kube_call *next = TAILQ_NEXT(call, link);
		if (call->at_ns <= now)
			kube_call_enqueue(call);
		call = next;
	}
}

static void start_ready(struct kube_client *client)
{
	/* Only those that wait now: what their callbacks start waits for the next turn. */
	for (size_t n = length(client, KUBE_PLACE_READY); n && !client->closing; n--) {
		struct kube_call *call = TAILQ_FIRST(&client->calls[KUBE_PLACE_READY]);
		if (!call)
			break;
		kube_call_attempt(call);
	}
}

/* How many calls of class API may run now. One that takes long does not count: it may hang. */
static uint32_t width(const struct kube_client *client, int64_t now, int64_t *ret_until)
{
	const struct kube_call *call = NULL;
	uint32_t young = 0;

	*ret_until = INT64_MAX;
	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_RUNNING], link)
	{
		const int64_t slow_at = call->attempt_ns + SLOW_NS;
		if (call->request.class != KUBE_CLASS_API || call->stream || slow_at <= now)
			continue;
		young++;
		*ret_until = slow_at < *ret_until ? slow_at : *ret_until;
	}
	const size_t calls = length(client, KUBE_PLACE_PACED) + young;
	const size_t want = calls / CALLS_A_CONNECTION + 1;
	const size_t wide =
		(want < CONNECTIONS_MIN ? CONNECTIONS_MIN : want) + (client->running_api - young);

	return wide < client->options.connections ? (uint32_t)wide : client->options.connections;
}

static void start_paced(struct kube_client *client, int64_t now)
{
	int64_t until = 0;
	const uint32_t most = width(client, now, &until);

	for (size_t n = length(client, KUBE_PLACE_PACED); n && !client->closing; n--) {
		struct kube_call *call = TAILQ_FIRST(&client->calls[KUBE_PLACE_PACED]);
		if (!call || client->running_api >= most || client->tokens_milli < 1000)
			break;
		client->tokens_milli -= 1000;
		if (now - call->queued_ns >= NS_PER_MS) {
			client->stats.throttled++;
			client->stats.throttled_ns += (uint64_t)(now - call->queued_ns);
		}
		kube_call_attempt(call);
	}
}

static int64_t idle_at(const struct kube_call *call)
{
	if (!call->stream || !call->request.idle_ms || call->want_pause)
		return INT64_MAX;
	return call->byte_ns + call->request.idle_ms * NS_PER_MS;
}

static int end_idle(struct kube_client *client, int64_t now)
{
	struct kube_call *call = NULL;
	struct err err = {0};

	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_RUNNING], link)
	{
		if (idle_at(call) > now)
			continue;
		(void)FAIL(&err, ERR_TRANSIENT, "%s %s: silent for %u ms",
			kube_verb_name(call->request.verb), call->request.resource->plural,
			call->request.idle_ms);
		kube_call_detach(call);
		kube_call_end(call, &err);
		return 1;
	}
	return 0;
}

static int end_refused(struct kube_client *client, enum kube_place place)
{
	struct kube_call *call = NULL;
	struct err err = {0};

	TAILQ_FOREACH(call, &client->calls[place], link)
	{
		const struct kube_request *r = &call->request;
		if (r->class != KUBE_CLASS_API || !kube_verb_writes(r->verb) ||
			client->may_write(client->guard_ctx, r))
			continue;
		(void)FAIL(&err, ERR_CANCELLED, "%s %s: writing is not allowed any more",
			kube_verb_name(r->verb), r->resource->plural);
		kube_call_detach(call);
		kube_call_end(call, &err);
		return 1;
	}
	return 0;
}

static void recheck(struct kube_client *client)
{
	static const enum kube_place places[] = {
		KUBE_PLACE_RUNNING, KUBE_PLACE_PACED, KUBE_PLACE_LATER, KUBE_PLACE_READY};

	if (!client->recheck)
		return;
	client->recheck = false;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		while (client->may_write && !client->closing && end_refused(client, places[i]))
			;
}

static void resume(struct kube_client *client)
{
	struct kube_call *call = NULL;

	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_RUNNING], link)
	{
		if (!call->paused || call->want_pause)
			continue;
		call->paused = false;
		/* May hand over what libcurl kept, and so call back. */
		client->inside++;
		(void)curl_easy_pause(call->easy, CURLPAUSE_CONT);
		client->inside--;
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t paced_due(const struct kube_client *client, int64_t now)
{
	int64_t until = 0;

	if (TAILQ_EMPTY(&client->calls[KUBE_PLACE_PACED]))
		return INT64_MAX;
	if (client->running_api >= width(client, now, &until))
		return client->running_api < client->options.connections ? until : INT64_MAX;
	return now +
	       (1000 - earlier(1000, client->tokens_milli)) * NS_PER_MS / client->options.rate;
}

static int64_t next_due(const struct kube_client *client, int64_t now)
{
	const struct kube_call *call = NULL;
	int64_t at = TAILQ_EMPTY(&client->calls[KUBE_PLACE_READY]) &&
				     TAILQ_EMPTY(&client->calls[KUBE_PLACE_DEAD]) &&
				     !client->recheck
			     ? INT64_MAX
			     : now;

	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_LATER], link)
	at = earlier(at, call->at_ns);
	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_PACED], link)
	at = earlier(at, call->deadline_ns ? call->deadline_ns : INT64_MAX);
	TAILQ_FOREACH(call, &client->calls[KUBE_PLACE_RUNNING], link)
	at = earlier(at, call->paused && !call->want_pause ? now : idle_at(call));
	return earlier(at, paced_due(client, now));
}

static void schedule(struct kube_client *client)
{
	const int64_t now = kube_client_now(client);
	const int64_t at = next_due(client, now);

	if (at == INT64_MAX) {
		(void)uv_timer_stop(&client->pump);
		return;
	}
	/* At least 1 ms: a timer of 0 would run again before the loop looks at its sockets. */
	const int64_t ms = at <= now ? 1 : (at - now) / NS_PER_MS + 1;
	(void)uv_timer_start(&client->pump, kube_client_pump, (uint64_t)ms, 0);
}

void kube_client_pump(uv_timer_t *timer)
{
	struct kube_client *client = container_of(timer, struct kube_client, pump);
	const int64_t now = kube_client_now(client);

	client->pumping = true;
	kube_client_bury(client);
	recheck(client);
	ripen(client, now);
	while (!client->closing && end_expired(client, KUBE_PLACE_PACED, now))
		;
	refill(client, now);
	start_ready(client);
	start_paced(client, now);
	while (!client->closing && end_idle(client, now))
		;
	resume(client);
	client->pumping = false;
	if (!client->closing)
		schedule(client);
}
