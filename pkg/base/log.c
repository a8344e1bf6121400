#include "pkg/base/log.h"

#include "pkg/base/alloc.h"
#include "pkg/base/log_line.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define BUCKETS       64
#define BUCKET_TEXT   80
#define SINK_WAIT_MS  100
#define PROGRAM_MAX   64 /* so that time, program and message always fit into a line */
#define SWEEP_NS      NS_PER_S
#define BURST_DEFAULT 20

const char *const base_log_levels[] = {"debug", "info", "warn", "error", NULL};

/* The allowance of one message. text is a copy: it names what was suppressed. */
struct bucket {
	uint64_t hash; /* 0: free */
	int64_t filled_ns;
	int64_t last_ns;
	unsigned tokens;
	enum log_level level;
	uint64_t suppressed;
	char text[BUCKET_TEXT];
};

struct log {
	struct log_config config;
	bool json;
	bool stuck; /* the sink did not take the last line: do not wait for it again */
	uint64_t dropped;
	uint64_t dropped_told;
	int64_t swept_ns;
	struct bucket buckets[BUCKETS];
};

/* To fd 2 without making it non-blocking: that flag would be shared with whoever gave it to us. A
 * pipe that polls writable takes PIPE_BUF bytes in one piece. */
static bool write_fd2(void *ctx, const char *line, size_t n)
{
	struct log *log = ctx;
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&p, 1, log->stuck ? 0 : SINK_WAIT_MS) != 1 || !(p.revents & POLLOUT))
		return false;
	while (n > 0) {
		const ssize_t r = write(STDERR_FILENO, line, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		line += r;
		n -= (size_t)r;
	}
	return true;
}

int base_log_new(const struct log_config *config, struct log **ret_log, struct err *err)
{
	if (config->program && strlen(config->program) > PROGRAM_MAX)
		return FAIL(
			err, ERR_TOO_LARGE, "a program's name of more than %d bytes", PROGRAM_MAX);
	struct log *log = base_alloc(1, sizeof(*log));
	if (!log)
		return FAIL(err, ERR_NOMEM, "log");
	log->config = *config;
	log->json = config->format == LOG_FORMAT_JSON ||
		    (config->format == LOG_FORMAT_AUTO &&
			    (config->sink.write || !isatty(STDERR_FILENO)));
	if (!log->config.burst)
		log->config.burst = BURST_DEFAULT;
	if (!log->config.per_second)
		log->config.per_second = 1;
	if (!log->config.sink.write)
		log->config.sink = (struct log_sink){.ctx = log, .write = write_fd2};
	*ret_log = log;
	return 0;
}

static void emit(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t n)
{
	struct log_line line;

	line.json = log->json;
	base_log_line_begin(&line, log->config.clock.wall_ns(log->config.clock.ctx), level,
		log->config.program, message);
	for (size_t i = 0; i < n; i++)
		base_log_line_field(&line, &fields[i]);
	base_log_line_end(&line);
	log->stuck = !log->config.sink.write(log->config.sink.ctx, line.b, line.n);
	log->dropped += log->stuck;
}

static void tell_dropped(struct log *log)
{
	const uint64_t n = log->dropped - log->dropped_told;

	if (n == 0 || log->stuck)
		return;
	emit(log, LOG_WARN, "log lines were lost", &LOG_UINT("count", n), 1);
	if (!log->stuck)
		log->dropped_told += n;
}

static void tell_suppressed(struct log *log, struct bucket *b)
{
	const struct log_field fields[] = {
		LOG_STR("suppressed", base_str(b->text)), LOG_UINT("count", b->suppressed)};

	if (b->suppressed)
		emit(log, b->level, "suppressed", fields, ARRAY_LEN(fields));
	if (!log->stuck)
		b->suppressed = 0;
}

static void refill(const struct log *log, struct bucket *b, int64_t now)
{
	const int64_t step = NS_PER_S / (int64_t)log->config.per_second;
	const int64_t n = step > 0 ? (now - b->filled_ns) / step : (int64_t)log->config.burst;

	if (n <= 0)
		return;
	b->filled_ns += n * step;
	b->tokens = n >= (int64_t)(log->config.burst - b->tokens) ? log->config.burst
								  : b->tokens + (unsigned)n;
}

/* Tells of messages whose flood is over: their next line may never come. */
static void sweep(struct log *log, int64_t now, bool all)
{
	log->swept_ns = now;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct bucket *b = &log->buckets[i];
		if (!b->suppressed)
			continue;
		refill(log, b, now);
		if (!all && b->tokens == 0)
			continue;
		b->tokens -= b->tokens > 0;
		tell_suppressed(log, b);
	}
}

static uint64_t hash_of(const char *message, enum log_level level)
{
	uint64_t h = 14695981039346656037ULL ^ (uint64_t)level;

	for (const char *p = message; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	return h ? h : 1;
}

/* The bucket of a message; where none is free, the one that was quiet for longest goes. */
static struct bucket *bucket_of(
	struct log *log, const char *message, enum log_level level, int64_t now)
{
	const uint64_t hash = hash_of(message, level);
	struct bucket *oldest = &log->buckets[0];

	for (size_t i = 0; i < BUCKETS; i++) {
		struct bucket *b = &log->buckets[i];
		if (b->hash == hash)
			return b;
		if (!b->hash) {
			oldest = b;
			break;
		}
		if (b->last_ns < oldest->last_ns)
			oldest = b;
	}
	tell_suppressed(log, oldest);
	*oldest = (struct bucket){
		.hash = hash, .filled_ns = now, .tokens = log->config.burst, .level = level};
	memcpy(oldest->text, message, strnlen(message, BUCKET_TEXT - 1));
	return oldest;
}

void base_log_write(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t n)
{
	if (!log || level < log->config.level)
		return;
	const int64_t now = log->config.clock.boot_ns(log->config.clock.ctx);
	struct bucket *b = bucket_of(log, message, level, now);
	b->last_ns = now;
	refill(log, b, now);
	if (b->tokens == 0) {
		b->suppressed++;
		return;
	}
	b->tokens--;
	tell_dropped(log);
	tell_suppressed(log, b);
	emit(log, level, message, fields, n);
	if (now - log->swept_ns >= SWEEP_NS)
		sweep(log, now, false);
}

void base_log_flush(struct log *log)
{
	if (!log)
		return;
	sweep(log, log->config.clock.boot_ns(log->config.clock.ctx), false);
	tell_dropped(log);
}

struct log *base_log_free(struct log *log)
{
	if (!log)
		return NULL;
	sweep(log, log->config.clock.boot_ns(log->config.clock.ctx), true);
	tell_dropped(log);
	base_free(log);
	return NULL;
}

uint64_t base_log_dropped(const struct log *log)
{
	return log->dropped;
}
