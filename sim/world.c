#include "sim/world.h"

#include "pkg/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

#define EVENTS_MAX 100000
#define WALL_START (1780000000LL * NS_PER_S)
#define BOOT_START (1000LL * NS_PER_S)

/* -- chance: splitmix64, so that a history is its seed -- */

static uint64_t next_random(struct sim_world *w)
{
	uint64_t z = (w->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

int64_t sim_between(struct sim_world *w, int64_t low, int64_t high)
{
	if (high <= low)
		return low;
	return low + (int64_t)(next_random(w) % (uint64_t)(high - low + 1));
}

bool sim_once_in(struct sim_world *w, int n)
{
	return sim_between(w, 1, n) == 1;
}

static int fill(void *ctx, void *dst, size_t n, struct err *err)
{
	uint8_t *p = dst;

	(void)err;
	for (size_t i = 0; i < n; i += 8) {
		const uint64_t r = next_random(ctx);
		memcpy(p + i, &r, n - i < 8 ? n - i : 8);
	}
	return 0;
}

static int64_t world_boot(void *ctx)
{
	const struct sim_world *w = ctx;

	return w->now;
}

static int64_t world_wall(void *ctx)
{
	const struct sim_world *w = ctx;

	return WALL_START + w->now;
}

struct env sim_env(struct sim_world *w)
{
	return (struct env){.clock = {.ctx = w, .boot_ns = world_boot, .wall_ns = world_wall},
		.rng = {.ctx = w, .fill = fill}};
}

void sim_fail(struct sim_world *w, const char *fmt, ...)
{
	char text[SIM_FAILURE_MAX - 40];
	va_list args;

	if (w->failure[0])
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)snprintf(w->failure, sizeof(w->failure), "at %lld ms: %s",
		(long long)((w->now - BOOT_START) / NS_PER_MS), text);
}

/* -- events -- */

void sim_after(struct sim_world *w, struct kube_client *half, int64_t wait, void (*fire)(void *),
	void *ctx)
{
	if (w->events_len == w->events_cap) {
		const size_t cap = w->events_cap ? 2 * w->events_cap : 256;
		struct sim_event *grown = base_realloc(w->events, cap * sizeof(*grown));
		base_assert(grown && cap <= EVENTS_MAX);
		w->events = grown;
		w->events_cap = cap;
	}
	w->events[w->events_len++] = (struct sim_event){.at = w->now + (wait > 0 ? wait : 0),
		.seq = w->seq++,
		.half = half,
		.fire = fire,
		.ctx = ctx};
}

void sim_forget(struct sim_world *w, void (*fire)(void *), const void *ctx)
{
	for (size_t i = w->events_len; i-- > 0;)
		if (w->events[i].fire == fire && w->events[i].ctx == ctx)
			w->events[i] = w->events[--w->events_len];
}

void sim_forget_half(struct sim_world *w, const struct kube_client *half)
{
	for (size_t i = w->events_len; i-- > 0;)
		if (w->events[i].half == half)
			w->events[i] = w->events[--w->events_len];
}

static size_t first(const struct sim_world *w)
{
	size_t found = 0;

	for (size_t i = 1; i < w->events_len; i++)
		if (w->events[i].at < w->events[found].at ||
			(w->events[i].at == w->events[found].at &&
				w->events[i].seq < w->events[found].seq))
			found = i;
	return found;
}

/* A stopped process does nothing until it goes on; then it does everything late. */
static bool is_paused(struct sim_world *w, struct sim_event *e)
{
	if (!e->half || e->half->replica->paused_until <= w->now)
		return false;
	e->at = e->half->replica->paused_until;
	return true;
}

void sim_run(struct sim_world *w, int64_t until)
{
	while (w->events_len && !w->failure[0]) {
		const size_t i = first(w);
		if (w->events[i].at > until)
			break;
		w->now = w->events[i].at > w->now ? w->events[i].at : w->now;
		if (is_paused(w, &w->events[i]))
			continue;
		const struct sim_event e = w->events[i];
		w->events[i] = w->events[--w->events_len];
		w->stats.events++;
		e.fire(e.ctx);
		sim_check_step(w);
	}
	if (!w->failure[0] && w->now < until)
		w->now = until;
}

/* -- libuv's timers, in virtual time; these definitions take the place of the library's -- */

static struct kube_client *half_of(const uv_loop_t *loop)
{
	return container_of((uv_loop_t *)(uintptr_t)loop, struct kube_client, loop);
}

static void timer_fires(void *ctx)
{
	uv_timer_t *timer = ctx;

	timer->timer_cb(timer);
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	timer->loop = loop;
	timer->timer_cb = NULL;
	return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
	sim_forget(half_of(timer->loop)->world, timer_fires, timer);
	return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	struct kube_client *half = half_of(timer->loop);

	base_assert(repeat == 0);
	(void)uv_timer_stop(timer);
	timer->timer_cb = cb;
	sim_after(half->world, half, (int64_t)timeout * NS_PER_MS, timer_fires, timer);
	return 0;
}

static void handle_closes(void *ctx)
{
	uv_handle_t *handle = ctx;

	handle->close_cb(handle);
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	uv_timer_t *timer = (uv_timer_t *)handle;
	struct kube_client *half = half_of(timer->loop);

	(void)uv_timer_stop(timer);
	handle->close_cb = cb;
	/* What closes belongs to a half that may be dead already: the world sees to it. */
	sim_after(half->world, NULL, 0, handle_closes, handle);
}

/* -- life -- */

int sim_world_new(const struct sim_options *options, struct sim_world **ret, struct err *err)
{
	_cleanup_(sim_world_free) struct sim_world *w = base_alloc(1, sizeof(*w));

	if (!w)
		return FAIL(err, ERR_NOMEM, "world");
	w->options = *options;
	w->random = options->seed * 0x2545f4914f6cdd1dULL + 1;
	w->now = BOOT_START;
	w->version = 100;
	w->env = sim_env(w);
	TRY(pre_context_new(&w->env, &w->pre, err));
	sim_server_start(w);
	for (int i = 0; i < options->replicas; i++)
		if (!sim_replica_add(w))
			return FAIL(err, ERR_NOMEM, "replica");
	*ret = STEAL(w);
	return 0;
}

/* Closing handles is the last that is done for the dead. */
static void close_handles(struct sim_world *w)
{
	for (size_t i = 0; i < w->events_len;) {
		const struct sim_event e = w->events[i];
		if (e.fire != handle_closes) {
			i++;
			continue;
		}
		w->events[i] = w->events[--w->events_len];
		e.fire(e.ctx);
		i = 0;
	}
}

struct sim_world *sim_world_free(struct sim_world *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < w->replicas_len; i++) {
		if (w->replicas[i].half)
			sim_half_kill(&w->replicas[i], -1);
		(void)keeper_free(w->replicas[i].keeper);
	}
	close_handles(w);
	sim_link_free(w);
	sim_server_end(w);
	for (struct kube_client *h = w->halves, *next = NULL; h; h = next) {
		next = h->next;
		base_free(h);
	}
	for (size_t i = 0; i < SIM_EPOCHS_MAX; i++)
		base_secret_wipe(&w->messages[i].k);
	base_free(w->events);
	pre_context_free(w->pre);
	return base_free(w);
}

int sim_history(const struct sim_options *options, char *ret_failure, struct sim_stats *ret_stats)
{
	_cleanup_(sim_world_free) struct sim_world *w = NULL;
	struct err err = {0};

	if (sim_world_new(options, &w, &err) < 0) {
		(void)snprintf(
			ret_failure, SIM_FAILURE_MAX, "the world does not start: %s", err.msg);
		return err.class;
	}
	sim_faults_start(w);
	sim_run(w, w->now + options->faults_ns);
	sim_faults_end(w);
	/* Longer than a Lease, twice over, and the rests after failures. */
	const int64_t limit = w->now + 240 * NS_PER_S;
	while (!w->failure[0] && w->now < limit && !sim_converged(w))
		sim_run(w, w->now + NS_PER_S);
	sim_check_end(w);
	*ret_stats = w->stats;
	(void)snprintf(ret_failure, SIM_FAILURE_MAX, "%s", w->failure);
	return w->failure[0] ? ERR_BUG : 0;
}
