/* A world for tests of the informer: a model of an API server that keeps things, their history, and
 * serves one client. Tests only. */
#ifndef KUBE_TEST_THINGS_H
#define KUBE_TEST_THINGS_H

#include "pkg/base/map.h"
#include "pkg/base/test.h"
#include "pkg/kube/informer_impl.h"

#define NAMES       12
#define HISTORY_MAX 4096
#define PAGE        3
#define OUT_MAX     (256u << 10)

struct thing {
	struct kube_meta meta;
	struct str colour;
};
static const struct kube_field thing_fields[] = {
	KUBE_META_FIELDS(struct thing, meta),
	{"/colour", KUBE_FIELD_TEXT, 16, offsetof(struct thing, colour)},
};
static const struct kube_projection thing_projection = {
	thing_fields, ARRAY_LEN(thing_fields), sizeof(struct thing)};
static const struct kube_kind thing_kind = {.projection = &thing_projection};
static const struct kube_resource things = {"example.org", "v1", "things", "Thing", true};

struct object {
	bool exists;
	uint64_t uid, rv;
};

struct change {
	const char *type;
	int name;
	struct object object;
};

/* Serves one client. */
struct server {
	struct object objects[NAMES];
	struct change history[HISTORY_MAX];
	size_t history_len;
	size_t kept; /* changes before this one are compacted */
	uint64_t rv, uids;
	bool refuse_watch_list, calm;

	/* the stream */
	bool open, answered, watching, mute;
	enum err_class refuse; /* ERR_OK: answer */
	size_t at;             /* in the history: the next change to send */
	struct buf out;
	size_t sent;
	bool finish; /* ends cleanly when all is sent */
	struct object snapshot[NAMES];
	uint64_t snapshot_rv;
	struct kube_stream_handler handler;
	void *handler_ctx;
	uint64_t starts, lists;
};

struct world {
	struct env_fake fake;
	struct env env;
	uint64_t random;
	struct server server;
	struct kube_informer *informer;
	size_t by_colour;
	int64_t tick_ns;
	bool closed;
	/* What handlers were told. */
	struct {
		const void *object; /* NULL: it does not exist */
		uint64_t uid, rv;
	} told[NAMES];
	int synced;
	uint64_t troubles, changes;
};

static uint64_t draw(struct world *w, uint64_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % n;
}

/* ---- the server ---- */

static void change(struct world *w, const char *type, int name)
{
	struct server *s = &w->server;

	base_assert(s->history_len < HISTORY_MAX);
	s->objects[name].rv = s->rv += 1 + draw(w, 3);
	s->history[s->history_len++] =
		(struct change){.type = type, .name = name, .object = s->objects[name]};
}

static void mutate(struct world *w)
{
	struct server *s = &w->server;
	const int name = (int)draw(w, NAMES);
	struct object *o = &s->objects[name];

	if (!o->exists) {
		*o = (struct object){.exists = true, .uid = ++s->uids};
		change(w, "ADDED", name);
	} else if (draw(w, 3) == 0) {
		change(w, "DELETED", name);
		o->exists = false;
	} else {
		change(w, "MODIFIED", name);
	}
}

static void print_object(struct server *s, int name, const struct object *o)
{
	assert_ok("out",
		base_buf_addf(&s->out, err,
			"{\"metadata\":{\"namespace\":\"ns%d\",\"name\":\"n%d\",\"uid\":\"%llu\","
			"\"resourceVersion\":\"%llu\"},\"colour\":\"c%llu\"}",
			name % 3, name, (unsigned long long)o->uid, (unsigned long long)o->rv,
			(unsigned long long)o->rv % 4));
}

static void print_event(struct server *s, const char *type, int name, const struct object *o)
{
	assert_ok("out", base_buf_addf(&s->out, err, "{\"type\":\"%s\",\"object\":", type));
	print_object(s, name, o);
	assert_ok("out", base_buf_add_str(&s->out, STR("}\n"), err));
}

static void print_bookmark(struct server *s, uint64_t rv, bool end)
{
	assert_ok("out",
		base_buf_addf(&s->out, err,
			"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%"
			"llu\"%s}}}\n",
			(unsigned long long)rv,
			end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : ""));
}

static void print_expired(struct server *s)
{
	assert_ok("out", base_buf_addf(&s->out, err,
				 "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":"
				 "\"Failure\",\"reason\":\"Expired\",\"code\":410}}\n"));
	s->finish = true;
}

static bool number_of(struct str query, const char *name, uint64_t *ret_n)
{
	const size_t len = strlen(name);

	for (size_t from = 0; from < query.n;) {
		const size_t to = base_str_find(query, '&', from);
		const struct str pair = base_str_sub(query, from, to);
		if (pair.n > len && !memcmp(pair.p, name, len))
			return base_parse_u64(base_str_sub(pair, len, pair.n), UINT64_MAX, ret_n,
				       NULL) == 0;
		from = to + 1;
	}
	return false;
}

static void serve_list(struct world *w, struct str query)
{
	struct server *s = &w->server;
	uint64_t from = 0, limit = 0, rv = 0;
	const bool goes_on = number_of(query, "continue=", &from);

	s->lists++;
	if (!goes_on) {
		memcpy(s->snapshot, s->objects, sizeof(s->snapshot));
		s->snapshot_rv = s->rv;
	}
	if (number_of(query, "resourceVersion=", &rv) && rv > s->rv)
		fail_msg("LIST at a version of the future");
	const bool paged = number_of(query, "limit=", &limit) && draw(w, 2);
	const uint64_t to = paged && from + PAGE < NAMES ? from + PAGE : NAMES;
	assert_ok("out", base_buf_addf(&s->out, err, "{\"kind\":\"List\",\"items\":["));
	bool comma = false;
	for (uint64_t i = from; i < to; i++)
		if (s->snapshot[i].exists) {
			assert_ok("out", base_buf_addf(&s->out, err, comma ? "," : ""));
			print_object(s, (int)i, &s->snapshot[i]);
			comma = true;
		}
	assert_ok("out", base_buf_addf(&s->out, err, "],\"metadata\":{\"resourceVersion\":\"%llu\"",
				 (unsigned long long)s->snapshot_rv));
	if (to < NAMES)
		assert_ok("out", base_buf_addf(&s->out, err, ",\"continue\":\"%llu\"",
					 (unsigned long long)to));
	assert_ok("out", base_buf_add_str(&s->out, STR("}}\n"), err));
	s->finish = true;
}

static void serve_watch_list(struct world *w)
{
	struct server *s = &w->server;
	const int shift = (int)draw(w, NAMES);

	if (s->refuse_watch_list) {
		s->refuse = ERR_INVALID;
		return;
	}
	for (int i = 0; i < NAMES; i++) {
		const int name = (i + shift) % NAMES;
		if (s->objects[name].exists)
			print_event(s, "ADDED", name, &s->objects[name]);
	}
	print_bookmark(s, s->rv, true);
	s->watching = true;
	s->at = s->history_len;
}

static void serve_watch(struct world *w, uint64_t rv)
{
	struct server *s = &w->server;

	s->at = 0;
	while (s->at < s->history_len && s->history[s->at].object.rv <= rv)
		s->at++;
	s->watching = true;
	if (s->at >= s->kept) {
		/* Now and then a server says again what was said already. */
		if (!s->calm && draw(w, 4) == 0)
			s->at -= draw(w, 5) % (s->at - s->kept + 1);
		return;
	}
	if (draw(w, 2))
		s->refuse = ERR_EXPIRED;
	else
		print_expired(s);
	s->watching = false;
}

static void close_stream(struct server *s)
{
	s->open = s->answered = s->watching = s->finish = s->mute = false;
	s->refuse = ERR_OK;
	base_buf_clear(&s->out);
	s->sent = 0;
}

#endif
