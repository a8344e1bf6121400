/* Measures the keeper's program through its socketpair. Usage: keeper_bench PROGRAM
 * Prints "name unit value low high runs" lines for bench/keeper.sh. */
#include "keeper/child.h"
#include "keeper/life.h"

#define MEMBERS     1000
#define GRANTS_OUT  32 /* as many as the agent has out */
#define OPENS       4000
#define OPENS_AMONG 1000
#define ROUNDS      5

static int64_t now_ns(clockid_t id)
{
	struct timespec t;

	assert_int_equal(clock_gettime(id, &t), 0);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *v, size_t n, double q)
{
	qsort(v, n, sizeof(*v), compare);
	return v[(size_t)(q * (double)(n - 1))];
}

/* The value is the q-quantile; the spread the 10th and 90th percentile. */
static void print(const char *name, const char *unit, double q, double *v, size_t n)
{
	const double value = quantile(v, n, q);

	printf("%s %s %.4f %.4f %.4f %zu\n", name, unit, value, quantile(v, n, 0.1),
		quantile(v, n, 0.9), n);
}

/* The real program, with our end of the pair. */
static void spawn(struct child *c, const char *program)
{
	char *const argv[] = {(char[]){"functionkey-keeper"}, NULL};
	char *const env[] = {NULL};

	child_pair(c);
	c->pid = fork();
	if (c->pid == 0) {
		if (dup2(c->their_fd, KMSG_FD) == KMSG_FD)
			(void)execve(program, argv, env);
		_exit(127);
	}
	(void)close(c->their_fd);
}

static struct kmsg_reply get(struct child *c, struct kmsg_request request)
{
	const struct kmsg_reply reply = child_ask(c, request);

	if (reply.status)
		fail_msg("%s: %s", kmsg_op_name(request.op), reply.message);
	return reply;
}

static struct kmsg_point lead(struct child *c)
{
	(void)get(c, (struct kmsg_request){.op = KMSG_INIT, .init.who = life_who("r", "leader")});
	(void)get(c, (struct kmsg_request){.op = KMSG_TERM, .term.term = 1});
	return get(c, life_epoch_request(1, 1, 0)).epoch.key;
}

static double private_kib(pid_t pid)
{
	char path[64], line[200];
	double kib = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		long long n = 0;
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own form */
		if (sscanf(line, "Pss_Anon: %lld", &n) == 1)
			kib = (double)n;
	}
	if (f)
		(void)fclose(f);
	return kib;
}

static void measure_start(const char *program)
{
	double ms[30], kib[30];

	for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
		struct child c;
		const int64_t from = now_ns(CLOCK_MONOTONIC);
		spawn(&c, program);
		(void)get(&c, life_plain(KMSG_HELD));
		ms[i] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e6;
		(void)lead(&c);
		kib[i] = private_kib(c.pid);
		assert_int_equal(child_end(&c), 0);
	}
	print("start", "ms", 0.5, ms, ARRAY_LEN(ms));
	print("private", "KiB", 0.5, kib, ARRAY_LEN(kib));
}

/* Figures of one operation, done again and again: wall time of one in flight, and its 99th
 * percentile; processor time. A name of NULL is not told. */
struct figures {
	const char *wall, *p99, *cpu;
};

static void measure_one(
	struct child *c, const struct kmsg_request *request, const struct figures *names)
{
	static double us[OPENS];
	clockid_t cpu;

	assert_int_equal(clock_getcpuclockid(c->pid, &cpu), 0);
	const int64_t cpu_from = now_ns(cpu);
	for (size_t i = 0; i < OPENS; i++) {
		const int64_t from = now_ns(CLOCK_MONOTONIC);
		(void)get(c, *request);
		us[i] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e3;
	}
	double each = (double)(now_ns(cpu) - cpu_from) / 1e3 / OPENS;
	if (names->wall)
		print(names->wall, "us", 0.5, us, OPENS);
	if (names->p99)
		print(names->p99, "us", 0.99, us, OPENS);
	print(names->cpu, "us", 0.5, &each, 1);
}

/* What level message costs each time, and a certificate a leader, once a member and day. */
static void measure_signing(struct child *c)
{
	struct life member = {0};
	const struct kmsg_request sign = {.op = KMSG_SIGN, .sign.message = 1};

	life_begin(&member, 7, "r", "member");
	const struct kmsg_request certify = life_certify_request(&member, 1);
	measure_one(
		c, &sign, &(struct figures){.wall = "sign", .p99 = "sign-p99", .cpu = "sign-cpu"});
	measure_one(c, &certify, &(struct figures){.cpu = "certify-cpu"});
	life_done(&member);
}

static void make_members(struct kmsg_request *ret)
{
	for (uint64_t i = 0; i < MEMBERS; i++) {
		struct life member = {0};
		char pod[32];
		(void)snprintf(pod, sizeof(pod), "member-%d", (int)i);
		life_begin(&member, 1000 + i, "r", pod);
		ret[i] = life_grant_request(&member, 1, 1);
		life_done(&member);
	}
}

static int64_t grant_all(struct child *c, const struct kmsg_request *members)
{
	clockid_t cpu;
	size_t sent = 0;

	assert_int_equal(clock_getcpuclockid(c->pid, &cpu), 0);
	const int64_t from = now_ns(cpu);
	for (size_t got = 0; got < MEMBERS; got++) {
		while (sent < MEMBERS && sent - got < GRANTS_OUT)
			child_send(c, members[sent++]);
		assert_int_equal(child_receive(c).status, ERR_OK);
	}
	return now_ns(cpu) - from;
}

/* Opens, one at a time, while the keeper never lacks grants to make. */
static void measure_opens_among_grants(
	struct child *c, const struct life_message *m, const struct kmsg_request *members)
{
	static double us[OPENS_AMONG];
	size_t sent = 0, granted = 0;

	for (size_t i = 0; i < OPENS_AMONG; i++) {
		while (sent - granted < GRANTS_OUT)
			child_send(c, members[sent++ % MEMBERS]);
		/* at any place in a grant */
		(void)usleep((useconds_t)(i * 37 % 500));
		const int64_t from = now_ns(CLOCK_MONOTONIC);
		child_send(c, m->open);
		while (child_receive(c).op != KMSG_OPEN)
			granted++;
		us[i] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e3;
	}
	for (; granted < sent; granted++)
		(void)child_receive(c);
	print("open-among-grants", "us", 0.5, us, OPENS_AMONG);
	print("open-among-grants-p99", "us", 0.99, us, OPENS_AMONG);
}

static char *program;

static void measure(void **state)
{
	struct kmsg_request *members = base_alloc(MEMBERS, sizeof(*members));
	double ms[ROUNDS];
	struct child c;

	(void)state;
	assert_non_null(members);
	measure_start(program);
	spawn(&c, program);
	const struct kmsg_point key = lead(&c);
	const struct life_message m = life_wrap(&key, 1);
	measure_one(&c, &m.open,
		&(struct figures){.wall = "open", .p99 = "open-p99", .cpu = "open-cpu"});
	measure_signing(&c);
	make_members(members);
	for (size_t i = 0; i < ROUNDS; i++)
		ms[i] = (double)grant_all(&c, members) / 1e6;
	print("grants-1000", "ms", 0.5, ms, ROUNDS);
	measure_opens_among_grants(&c, &m, members);
	double kib = private_kib(c.pid);
	print("private-after", "KiB", 0.5, &kib, 1);
	(void)base_free(members);
	assert_int_equal(child_end(&c), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(measure)};

	if (argc != 2)
		return 64;
	program = argv[1];
	/* What is measured goes to standard output, cmocka's own words elsewhere. */
	cmocka_set_message_output(CM_OUTPUT_XML);
	/* One thread: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	(void)setenv("CMOCKA_XML_FILE", "/dev/null", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
