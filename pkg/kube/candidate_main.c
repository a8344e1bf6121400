/* kube-candidate: a candidate for a Lease that writes down when it leads.
 *
 *	kube-candidate NAMESPACE NAME IDENTITY DURATION_S DEADLINE_S RETRY_S [--violate]
 *
 * One JSON line for each change, with the boot clock in nanoseconds: {"event": "start" | "hold" |
 * "still" | "lost" | "stop", "identity", "boot_ns", "transitions"}. "still" comes ten times a
 *second while it may write: a log that just ends (kill -9) says how long it surely led. SIGUSR1
 *releases and begins anew after a while, SIGTERM releases and ends. --violate: goes on claiming to
 *lead for a while after it lost, so that a test can show that the checker would see it.
 */
#include "pkg/base/text.h"
#include "pkg/kube/lease.h"

#include <signal.h>

#define STILL_MS   100
#define PAUSE_MS   3000
#define VIOLATE_NS (20 * NS_PER_S)

struct candidate {
	uv_loop_t loop;
	struct env env;
	struct kube_config *config;
	struct kube_client *client;
	struct kube_lease *lease;
	struct kube_lease_options options;
	uv_timer_t still, pause;
	uv_signal_t usr1, term;
	bool violate, ending;
	int32_t transitions;
	int64_t lost_ns; /* of --violate: since when it claims what it lost */
};

static void say(struct candidate *c, const char *event)
{
	printf("{\"event\":\"%s\",\"identity\":\"%.*s\",\"boot_ns\":%lld,\"transitions\":%d}\n",
		event, STR_FMT(c->options.identity), (long long)base_boot_ns(&c->env),
		c->transitions);
	(void)fflush(stdout);
}

static void on_won(void *ctx, int32_t transitions)
{
	struct candidate *c = ctx;

	c->transitions = transitions;
	c->lost_ns = 0;
	say(c, "hold");
}

static void on_lost(void *ctx, const char *reason)
{
	struct candidate *c = ctx;

	(void)fprintf(stderr, "%.*s: lost: %s\n", STR_FMT(c->options.identity), reason);
	if (c->violate)
		c->lost_ns = base_boot_ns(&c->env);
	else
		say(c, "lost");
}

static void on_trouble(void *ctx, const struct err *err)
{
	const struct candidate *c = ctx;

	(void)fprintf(stderr, "%.*s: %s: %s\n", STR_FMT(c->options.identity),
		base_err_class_name(err->class), err->msg);
}

static void on_still(uv_timer_t *timer)
{
	struct candidate *c = timer->data;
	const bool claims = c->lost_ns && base_boot_ns(&c->env) - c->lost_ns < VIOLATE_NS;

	if (claims || (c->lease && kube_lease_may_write(c->lease)))
		say(c, "still");
	else if (c->lost_ns)
		say(c, "lost");
	if (!claims)
		c->lost_ns = 0;
}

static void run(struct candidate *c)
{
	static const struct kube_lease_handler handler = {
		.on_won = on_won, .on_lost = on_lost, .on_trouble = on_trouble};
	struct err err = {0};

	if (kube_lease_run(c->client, &c->options, &handler, c, &c->lease, &err) < 0) {
		(void)fprintf(stderr, "kube-candidate: %s\n", err.msg);
		uv_stop(&c->loop);
	}
}

static void on_pause_over(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_released(void *ctx)
{
	struct candidate *c = ctx;

	c->lease = kube_lease_free(c->lease);
	if (c->ending) {
		say(c, "stop");
		uv_stop(&c->loop);
	} else {
		(void)uv_timer_start(&c->pause, on_pause_over, PAUSE_MS, 0);
	}
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct candidate *c = handle->data;

	c->ending = c->ending || signum == SIGTERM;
	if (c->lease)
		kube_lease_release(c->lease, on_released, c);
	else if (c->ending)
		uv_stop(&c->loop);
}

static void watch_signals(struct candidate *c)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)uv_timer_init(&c->loop, &c->still);
	(void)uv_timer_init(&c->loop, &c->pause);
	(void)uv_signal_init(&c->loop, &c->usr1);
	(void)uv_signal_init(&c->loop, &c->term);
	c->still.data = c->pause.data = c->usr1.data = c->term.data = c;
	(void)uv_timer_start(&c->still, on_still, STILL_MS, STILL_MS);
	(void)uv_signal_start(&c->usr1, on_signal, SIGUSR1);
	(void)uv_signal_start(&c->term, on_signal, SIGTERM);
}

static int setup(struct candidate *c, char **args, struct err *err)
{
	const struct kube_client_options options = {.program = "kube-candidate/1"};
	uint64_t seconds[3] = {0};

	for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
		TRY(base_parse_u64(base_str(args[3 + i]), 3600, &seconds[i], err));
	c->env = base_env_system();
	c->options = (struct kube_lease_options){
		.ns = base_str(args[0]),
		.name = base_str(args[1]),
		.identity = base_str(args[2]),
		.times = {.duration_ns = (int64_t)seconds[0] * NS_PER_S,
			.renew_deadline_ns = (int64_t)seconds[1] * NS_PER_S,
			.retry_ns = (int64_t)seconds[2] * NS_PER_S},
		.field_manager = "kube-candidate",
		.will = KUBE_LEASE_CONTEND,
		.may_create = true,
	};
	(void)uv_loop_init(&c->loop);
	TRY(kube_config_load(NULL, NULL, &c->config, err));
	return kube_client_new(&c->loop, &c->env, c->config, &options, &c->client, err);
}

int main(int argc, char **argv)
{
	struct candidate c = {0};
	struct err err = {0};

	c.violate = argc == 8 && !strcmp(argv[7], "--violate");
	if (argc != 7 + c.violate) {
		(void)fprintf(stderr, "kube-candidate NAMESPACE NAME IDENTITY DURATION_S "
				      "DEADLINE_S RETRY_S [--violate]\n");
		return 2;
	}
	if (setup(&c, argv + 1, &err) < 0) {
		(void)fprintf(stderr, "kube-candidate: %s\n", err.msg);
		return 1;
	}
	watch_signals(&c);
	say(&c, "start");
	run(&c);
	(void)uv_run(&c.loop, UV_RUN_DEFAULT);
	return 0;
}
