/* The pure half of the event recorder: series, filter, texts. */
#include "pkg/kube/event_impl.h"

#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

#define TRIES_MAX   12
#define TRY_NS      (10 * NS_PER_S)
#define TEXT_MAX    128
#define NAME_SUFFIX 17 /* '.' and 16 hex digits */

bool kube_event_filter_pass(struct kube_event_filter *filter, int64_t boot_ns)
{
	int64_t full = filter->spent_ns > boot_ns ? filter->spent_ns : boot_ns;

	full += KUBE_EVENT_REFILL_NS;
	if (full - boot_ns > KUBE_EVENT_BURST * KUBE_EVENT_REFILL_NS)
		return false;
	filter->spent_ns = full;
	return true;
}

void kube_series_add(struct kube_series *series, int64_t boot_ns, int64_t wall_ns)
{
	/* Whatever it tells of is under way: that goes first. */
	if (++series->count == 1)
		series->next_ns = boot_ns + KUBE_EVENT_PAUSE_NS;
	series->last_ns = boot_ns;
	series->last_wall_ns = wall_ns;
}

enum kube_series_do kube_series_due(
	const struct kube_series *series, int64_t boot_ns, int64_t *ret_at_ns)
{
	const int64_t end = series->last_ns + KUBE_EVENT_QUIET_NS;
	const int64_t beat = series->written_ns + KUBE_EVENT_HEARTBEAT_NS;
	const bool grew = series->count > series->written_count && !series->failed;
	/* When it would be written, were nothing in the way. */
	int64_t at = end;

	if (grew && (series->written_count <= 1 || beat < end))
		at = series->written_count <= 1 ? boot_ns : beat;
	if (at < series->next_ns && grew)
		at = series->next_ns;
	*ret_at_ns = at;
	if (boot_ns < at)
		return KUBE_SERIES_WAIT;
	if (!grew)
		return KUBE_SERIES_FORGET;
	return series->written_count ? KUBE_SERIES_PATCH : KUBE_SERIES_POST;
}

void kube_series_wrote(struct kube_series *series, uint64_t count, enum err_class class,
	int64_t boot_ns, double random)
{
	if (class == ERR_OK) {
		series->written_count = count;
		series->written_ns = boot_ns;
		series->next_ns = 0;
		series->tries = 0;
		return;
	}
	series->tries++;
	series->next_ns = boot_ns + (int64_t)((double)TRY_NS * (0.75 + 0.5 * random));
	/* It is gone: made anew, with its count. */
	if (class == ERR_NOT_FOUND && series->written_count)
		series->written_count = 0;
	else if (class != ERR_TRANSIENT && class != ERR_NOMEM && class != ERR_CONFLICT)
		series->failed = true;
	if (series->tries >= TRIES_MAX)
		series->failed = true;
}

static int add_part(struct buf *b, struct str s, struct err *err)
{
	/* The length keeps "a","bc" and "ab","c" apart. */
	TRY(base_buf_addf(b, err, "%zu:", s.n));
	return base_buf_add_str(b, s, err);
}

static int add_object_key(struct buf *b, const struct kube_resource *resource,
	const struct kube_ref *ref, struct err *err)
{
	if (!resource)
		return add_part(b, STR_NULL, err);
	TRY(add_part(b, base_str(resource->group), err));
	TRY(add_part(b, base_str(resource->kind), err));
	TRY(add_part(b, ref->ns, err));
	TRY(add_part(b, ref->name, err));
	return add_part(b, ref->uid, err);
}

int kube_event_key_add(struct buf *b, const struct kube_event *event, struct err *err)
{
	TRY(base_buf_addf(b, err, "%u:", (unsigned)event->type));
	TRY(add_part(b, base_str(event->reason), err));
	TRY(add_part(b, base_str(event->action), err));
	TRY(add_object_key(b, event->resource, &event->regarding, err));
	return add_object_key(b, event->related_resource, &event->related, err);
}

int kube_event_name_add(struct buf *b, struct str regarding, uint64_t wall_ns, struct err *err)
{
	struct str base = base_str_sub(regarding, 0, KUBE_EVENT_NAME_MAX - NAME_SUFFIX);

	/* No label may end in what is no letter and no digit. */
	while (base.n && strchr(".-", base.p[base.n - 1]))
		base.n--;
	return base_buf_addf(b, err, "%.*s.%llx", STR_FMT(base), (unsigned long long)wall_ns);
}

struct str kube_event_ns(const struct kube_event *event)
{
	return event->regarding.ns.n ? event->regarding.ns : STR("default");
}

/* At most max bytes, cut between characters. */
static struct str cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	s.n = max;
	while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

static int write_object(struct kube_writer *w, const char *key,
	const struct kube_resource *resource, const struct kube_ref *ref, struct err *err)
{
	char version[128];

	(void)snprintf(version, sizeof(version), "%s%s%s", resource->group,
		resource->group[0] ? "/" : "", resource->version);
	TRY(kube_write_key_object(w, key, err));
	TRY(kube_write_key_text(w, "apiVersion", base_str(version), err));
	TRY(kube_write_key_text(w, "kind", base_str(resource->kind), err));
	if (ref->ns.n)
		TRY(kube_write_key_text(w, "namespace", ref->ns, err));
	TRY(kube_write_key_text(w, "name", ref->name, err));
	if (ref->uid.n)
		TRY(kube_write_key_text(w, "uid", ref->uid, err));
	return kube_write_end(w, err);
}

static int check(
	const struct kube_events_options *options, const struct kube_event *e, struct err *err)
{
	const struct str texts[] = {base_str(e->reason), base_str(e->action),
		base_str(options->controller), options->instance};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!texts[i].n || texts[i].n > TEXT_MAX)
			return FAIL(err, ERR_INVALID, "an event's text of %zu bytes", texts[i].n);
	if (!e->resource || !e->regarding.name.n)
		return FAIL(err, ERR_INVALID, "an event about nothing");
	return 0;
}

int kube_event_body_add(struct buf *b, const struct kube_events_options *options,
	const struct kube_event *event, struct str name, int64_t wall_ns, struct err *err)
{
	struct kube_writer w = kube_writer(b);
	char now[BASE_TIME_LEN];

	TRY(check(options, event, err));
	base_time_format_micro(wall_ns, now);
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "apiVersion", STR("events.k8s.io/v1"), err));
	TRY(kube_write_key_text(&w, "kind", STR("Event"), err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "name", name, err));
	TRY(kube_write_key_text(&w, "namespace", kube_event_ns(event), err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_text(&w, "eventTime", base_str(now), err));
	TRY(kube_write_key_text(&w, "reportingController", base_str(options->controller), err));
	TRY(kube_write_key_text(&w, "reportingInstance", options->instance, err));
	TRY(kube_write_key_text(&w, "type",
		event->type == KUBE_EVENT_WARNING ? STR("Warning") : STR("Normal"), err));
	TRY(kube_write_key_text(&w, "reason", base_str(event->reason), err));
	TRY(kube_write_key_text(&w, "action", base_str(event->action), err));
	TRY(write_object(&w, "regarding", event->resource, &event->regarding, err));
	if (event->related_resource)
		TRY(write_object(&w, "related", event->related_resource, &event->related, err));
	return kube_write_key_text(&w, "note", cut(event->note, KUBE_EVENT_NOTE_MAX), err);
}

int kube_event_series_add(struct buf *b, uint64_t count, int64_t last_wall_ns, struct err *err)
{
	char last[BASE_TIME_LEN];

	base_time_format_micro(last_wall_ns, last);
	/* The API knows an int32. */
	return base_buf_addf(b, err, "\"series\":{\"count\":%llu,\"lastObservedTime\":\"%s\"}",
		(unsigned long long)(count > INT32_MAX ? INT32_MAX : count), last);
}
