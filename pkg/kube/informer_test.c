/* The informer against a model of an API server: random changes, cuts, silence, compaction, refused
 * WatchLists; once all is quiet the store is what the server has, and so is what handlers were
 * told. */
#include "pkg/kube/test_things.h"

/* ---- the outside of the informer ---- */

static int io_start(void *ctx, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *handler_ctx, struct kube_call **ret_call,
	struct err *err)
{
	struct world *w = ctx;
	struct server *s = &w->server;
	uint64_t rv = 0;

	assert_false(s->open);
	assert_int_equal(request->class, KUBE_CLASS_WATCH);
	assert_ptr_equal(request->resource, &things);
	if (!s->calm && draw(w, 20) == 0)
		return FAIL(err, ERR_NOMEM, "scripted");
	s->open = true;
	s->starts++;
	s->handler = *handler;
	s->handler_ctx = handler_ctx;
	*ret_call = (struct kube_call *)s;
	if (!memmem(request->query.p, request->query.n, "watch=true", 10))
		serve_list(w, request->query);
	else if (memmem(request->query.p, request->query.n, "sendInitialEvents", 17))
		serve_watch_list(w);
	else if (number_of(request->query, "resourceVersion=", &rv))
		serve_watch(w, rv);
	else
		fail_msg("query %.*s", STR_FMT(request->query));
	if (!s->calm && draw(w, 8) == 0) {
		static const enum err_class faults[] = {
			ERR_TRANSIENT, ERR_EXPIRED, ERR_DENIED, ERR_NOT_FOUND};
		s->refuse = faults[draw(w, ARRAY_LEN(faults))];
	}
	return 0;
}

static void io_cancel(void *ctx, struct kube_call *call)
{
	struct world *w = ctx;

	assert_ptr_equal(call, &w->server);
	assert_true(w->server.open);
	close_stream(&w->server);
}

static void io_arm(void *ctx, int64_t at_boot_ns)
{
	((struct world *)ctx)->tick_ns = at_boot_ns;
}

static void io_close(void *ctx)
{
	((struct world *)ctx)->closed = true;
}

/* ---- what handlers are told ---- */

static int name_of(const void *object)
{
	const struct kube_meta meta = kube_kind_meta(&thing_kind, object);
	uint64_t n = 0;

	assert_ok("name", base_parse_u64(base_str_sub(meta.name, 1, meta.name.n), NAMES, &n, err));
	return (int)n;
}

static uint64_t u64(struct str s)
{
	uint64_t n = 0;

	assert_ok("number", base_parse_u64(s, UINT64_MAX, &n, err));
	return n;
}

static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	struct world *w = ctx;
	const int name = name_of(cur ? cur : old);
	const struct kube_meta meta = kube_kind_meta(&thing_kind, cur ? cur : old);

	w->changes++;
	/* Objects stay at their addresses. */
	if (change == KUBE_MODIFIED)
		assert_ptr_equal(old, w->told[name].object);
	assert_int_equal(w->told[name].object != NULL, change != KUBE_ADDED);
	assert_int_equal(old != NULL, change != KUBE_ADDED);
	if (change != KUBE_ADDED)
		assert_int_equal(u64(kube_kind_meta(&thing_kind, old).uid), w->told[name].uid);
	if (change == KUBE_MODIFIED) {
		assert_int_equal(u64(kube_kind_meta(&thing_kind, old).rv), w->told[name].rv);
		assert_int_equal(u64(meta.uid), w->told[name].uid);
		assert_true(u64(meta.rv) > w->told[name].rv);
	}
	w->told[name].object = cur;
	assert_int_equal(cur != NULL, change != KUBE_DELETED);
	if (change == KUBE_DELETED)
		return;
	/* The store has it already. */
	assert_ptr_equal(cur, kube_store_get(w->informer, meta.ns, meta.name));
	w->told[name].uid = u64(meta.uid);
	w->told[name].rv = u64(meta.rv);
}

static void on_synced(void *ctx)
{
	struct world *w = ctx;

	w->synced++;
	assert_true(kube_informer_synced(w->informer));
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->troubles++;
	assert_true(err->class != ERR_OK && err->msg[0]);
}

static size_t colour_of(const void *object, struct str *keys)
{
	keys[0] = ((const struct thing *)object)->colour;
	return 1;
}

/* ---- the world ---- */

static void open_world(struct world *w, uint64_t seed)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	const struct kube_informer_spec spec = {
		.resource = &things, .kind = &thing_kind, .no_watch_list = seed % 4 == 0};

	uint8_t *room = NULL;

	*w = (struct world){.fake = {.boot_ns = NS_PER_S, .seed = seed},
		.random = seed * 0x9e3779b97f4a7c15ULL,
		.server = {.rv = 100, .refuse_watch_list = seed % 4 == 1}};
	w->env = base_env_fake(&w->fake);
	/* All its memory at once: where allocations fail, it is not the model's. */
	w->server.out = base_buf(OUT_MAX);
	assert_ok("out", base_buf_room(&w->server.out, OUT_MAX, &room, err));
	const struct kube_informer_io io = {.start = io_start,
		.cancel = io_cancel,
		.arm = io_arm,
		.close = io_close,
		.env = &w->env,
		.ctx = w};
	assert_ok("new", kube_informer_new_on(&io, &spec, &handler, w, &w->informer, err));
	assert_ok("index", kube_informer_add_index(w->informer, colour_of, &w->by_colour, err));
}

static void close_world(struct world *w)
{
	kube_informer_free(w->informer);
	assert_true(w->closed);
	assert_false(w->server.open);
	base_buf_done(&w->server.out);
}

static void end_stream(struct world *w, enum err_class class)
{
	const struct kube_stream_handler handler = w->server.handler;
	struct err e = {.class = class, .msg = "scripted"};

	close_stream(&w->server);
	handler.on_end(w->server.handler_ctx, class ? &e : NULL);
}

/* What a watch has to say since the last time. */
static void fill(struct server *s)
{
	for (; s->watching && s->at < s->history_len; s->at++) {
		const struct change *c = &s->history[s->at];
		print_event(s, c->type, c->name, &c->object);
	}
}

static void deliver(struct world *w)
{
	struct server *s = &w->server;

	if (!s->open || s->mute)
		return;
	if (s->refuse) {
		end_stream(w, s->refuse);
		return;
	}
	if (!s->answered) {
		s->answered = true;
		assert_int_equal(s->handler.on_status(s->handler_ctx, 200), 0);
		return;
	}
	fill(s);
	const size_t left = s->out.len - s->sent;
	if (left == 0 && s->finish) {
		end_stream(w, ERR_OK);
		return;
	}
	const size_t n = draw(w, 3) ? left : (size_t)draw(w, left + 1);
	if (n == 0)
		return;
	/* A copy that goes: nothing may be kept of it. */
	static uint8_t piece[OUT_MAX];
	memcpy(piece, s->out.data + s->sent, n);
	s->sent += n;
	assert_int_equal(s->handler.on_bytes(s->handler_ctx, piece, n), 0);
	memset(piece, '#', n);
}

static void fault(struct world *w)
{
	struct server *s = &w->server;

	switch (draw(w, 5)) {
	case 0:
		if (s->open)
			end_stream(w, draw(w, 2) ? ERR_TRANSIENT : ERR_OK);
		break;
	case 1:
		s->kept = s->history_len - draw(w, s->history_len + 1) / 4;
		break;
	case 2:
		s->mute = s->open;
		break;
	case 3:
		if (s->watching) {
			fill(s);
			print_bookmark(s, s->rv, false);
		}
		break;
	default:
		if (s->watching && draw(w, 2)) {
			fill(s);
			print_expired(s);
			s->watching = false;
		}
		break;
	}
}

static void tick(struct world *w)
{
	if (w->tick_ns == INT64_MAX)
		return;
	if (w->fake.boot_ns < w->tick_ns)
		w->fake.boot_ns = w->tick_ns;
	w->tick_ns = INT64_MAX;
	kube_informer_tick(w->informer);
}

static void check(struct world *w)
{
	size_t exist = 0;

	for (int i = 0; i < NAMES; i++) {
		char ns[8], name[8];
		(void)snprintf(ns, sizeof(ns), "ns%d", i % 3);
		(void)snprintf(name, sizeof(name), "n%d", i);
		const void *has = kube_store_get(w->informer, base_str(ns), base_str(name));
		const struct object *o = &w->server.objects[i];
		exist += o->exists;
		assert_int_equal(has != NULL, o->exists);
		assert_ptr_equal(w->told[i].object, has);
		if (!has)
			continue;
		assert_int_equal(u64(kube_kind_meta(&thing_kind, has).uid), o->uid);
		assert_int_equal(u64(kube_kind_meta(&thing_kind, has).rv), o->rv);
		assert_int_equal(w->told[i].rv, o->rv);
	}
	assert_int_equal(kube_informer_stats(w->informer).objects, exist);
	for (int c = 0; c < 4; c++) {
		const char key[] = {'c', (char)('0' + c), 0};
		const void *const *list = NULL;
		const size_t n = kube_store_by_index(
			kube_informer_store(w->informer), w->by_colour, base_str(key), &list);
		exist -= n;
		for (size_t i = 0; i < n; i++)
			assert_true(base_str_eq(
				((const struct thing *)list[i])->colour, base_str(key)));
	}
	assert_int_equal(exist, 0);
}

/* No more faults: everything comes through. */
static void settle(struct world *w)
{
	struct server *s = &w->server;

	s->calm = true;
	s->mute = false;
	for (int i = 0; i < 200; i++) {
		deliver(w);
		if (s->watching && s->sent == s->out.len && s->at == s->history_len &&
			kube_informer_state(w->informer) == KUBE_WATCH_WATCHING)
			break;
		if (!s->open)
			tick(w);
	}
	assert_int_equal(kube_informer_state(w->informer), KUBE_WATCH_WATCHING);
	assert_true(kube_informer_synced(w->informer));
	assert_int_equal(w->synced, 1);
	check(w);
	s->calm = false;
}

static void test_property(void **state)
{
	uint64_t relists = 0, restarts = 0, idle = 0, fallbacks = 0, stale = 0, changes = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		const size_t live = base_alloc_live();
		struct world w;
		open_world(&w, seed);
		for (int round = 0; round < 6; round++) {
			for (int i = 0; i < 60; i++) {
				const uint64_t what = draw(&w, 16);
				if (what < 6)
					mutate(&w);
				else if (what < 13)
					deliver(&w);
				else if (what < 15)
					tick(&w);
				else
					fault(&w);
			}
			settle(&w);
		}
		const struct kube_informer_stats s = kube_informer_stats(w.informer);
		relists += s.watch.relists;
		restarts += s.watch.restarts;
		idle += s.watch.idle_kills;
		fallbacks += s.watch.fallbacks;
		stale += s.stale;
		changes += w.changes;
		close_world(&w);
		assert_int_equal(base_alloc_live(), live);
	}
	print_message("changes %llu, relists %llu, restarts %llu, idle kills %llu, fallbacks %llu, "
		      "stale %llu\n",
		(unsigned long long)changes, (unsigned long long)relists,
		(unsigned long long)restarts, (unsigned long long)idle,
		(unsigned long long)fallbacks, (unsigned long long)stale);
	/* The test is only as good as what happens in it. */
	assert_true(changes > 10000 && relists > 100 && restarts > 100 && idle > 20 &&
		    fallbacks > 20 && stale > 20);
}

/* An end is resumed from where it was: no second LIST, no event told twice. */
static void test_resume(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 2);
	for (int i = 0; i < 20; i++)
		mutate(&w);
	settle(&w);
	const uint64_t changes = w.changes;
	for (int i = 0; i < 10; i++) {
		w.fake.boot_ns += 2 * NS_PER_S;
		end_stream(&w, ERR_OK);
		settle(&w);
	}
	assert_int_equal(w.changes, changes);
	assert_int_equal(kube_informer_stats(w.informer).watch.relists, 0);
	assert_int_equal(kube_informer_stats(w.informer).watch.restarts, 10);
	close_world(&w);
}

/* After a new set: what vanished is told, what was made anew under its name is deleted and added.
 */
static void test_replace(void **state)
{
	struct world w;
	struct server *s = &w.server;

	(void)state;
	open_world(&w, 2);
	for (int i = 0; i < 3; i++) {
		s->objects[i] = (struct object){.exists = true, .uid = ++s->uids};
		change(&w, "ADDED", i);
	}
	settle(&w);
	assert_int_equal(w.changes, 3);
	end_stream(&w, ERR_TRANSIENT);
	change(&w, "DELETED", 0);
	s->objects[0].exists = false;
	change(&w, "DELETED", 1);
	s->objects[1].uid = ++s->uids;
	change(&w, "ADDED", 1);
	s->kept = s->history_len;
	settle(&w);
	assert_int_equal(w.changes, 6);
	assert_int_equal(kube_informer_stats(w.informer).watch.relists, 1);
	close_world(&w);
}

static void test_synced_rv(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 2);
	assert_int_equal(kube_informer_synced_rv(w.informer).n, 0);
	mutate(&w);
	settle(&w);
	assert_int_equal(u64(kube_informer_synced_rv(w.informer)), w.server.rv);
	mutate(&w);
	mutate(&w);
	settle(&w);
	assert_int_equal(u64(kube_informer_synced_rv(w.informer)), w.server.rv);
	w.server.rv += 50;
	print_bookmark(&w.server, w.server.rv, false);
	settle(&w);
	assert_int_equal(u64(kube_informer_synced_rv(w.informer)), w.server.rv);
	close_world(&w);
}

/* Each allocation of the informer fails in turn while the first set comes and changes follow: the
 * store ends right all the same. */
static void test_nomem(void **state)
{
	uint64_t reached = 0;

	(void)state;
	for (uint64_t n = 1; n < 300; n++) {
		const size_t live = base_alloc_live();
		struct world w;
		open_world(&w, 2 + n % 3);
		for (int i = 0; i < 12; i++)
			mutate(&w);
		w.server.calm = true;
		base_alloc_fail_at(n);
		for (int i = 0; i < 30 && !base_alloc_failed(); i++) {
			if (w.server.open)
				deliver(&w);
			else
				tick(&w);
			if (i > 5)
				mutate(&w);
		}
		reached += base_alloc_failed();
		base_alloc_fail_at(0);
		settle(&w);
		close_world(&w);
		assert_int_equal(base_alloc_live(), live);
	}
	print_message("%llu allocations failed\n", (unsigned long long)reached);
	assert_true(reached > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_synced_rv),
		cmocka_unit_test(test_nomem),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
