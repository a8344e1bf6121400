/* The watch machine with any inputs at any time, in hostile order and with hostile bytes: it never
 * fails, never gives two STARTs without an end between them, and never waits for ever. */
#include "pkg/base/alloc.h"
#include "pkg/kube/watch.h"

#define SCALE_MS 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct thing {
	struct kube_meta meta;
};
static const struct kube_field fields[] = {KUBE_META_FIELDS(struct thing, meta)};
static const struct kube_projection projection = {fields, ARRAY_LEN(fields), sizeof(struct thing)};
static const struct kube_kind kind = {.projection = &projection};

struct run {
	struct env_fake fake;
	struct kube_watch *w;
	bool streaming, in_set, done; /* a set was whole once */
};

static void check(struct run *r, const struct kube_watch_action *a)
{
	switch (a->act) {
	case KUBE_WATCH_START:
		base_assert(!r->streaming && a->query.n > 0);
		base_assert(memmem(a->query.p, a->query.n, "labelSelector=", 14));
		r->streaming = true;
		break;
	case KUBE_WATCH_STOP:
		base_assert(r->streaming);
		r->streaming = false;
		break;
	case KUBE_WATCH_INIT:
		base_assert(!r->in_set);
		r->in_set = true;
		break;
	case KUBE_WATCH_ABANDON:
	case KUBE_WATCH_INIT_DONE:
		base_assert(r->in_set);
		r->in_set = false;
		r->done = r->done || a->act == KUBE_WATCH_INIT_DONE;
		break;
	case KUBE_WATCH_APPLY:
	case KUBE_WATCH_DELETE:
		base_assert(a->object && (r->in_set || r->done));
		break;
	case KUBE_WATCH_BOOKMARK:
		base_assert(!r->in_set && r->done);
		break;
	case KUBE_WATCH_TROUBLE:
		base_assert(a->err && a->err->class != ERR_OK);
		break;
	case KUBE_WATCH_WAIT:
		base_assert(a->at_boot_ns > r->fake.boot_ns);
		base_assert(a->at_boot_ns < r->fake.boot_ns + 4000 * NS_PER_S);
		break;
	}
}

static void pump(struct run *r)
{
	struct kube_watch_action a = {.act = KUBE_WATCH_TROUBLE};

	for (size_t n = 0; a.act != KUBE_WATCH_WAIT; n++) {
		kube_watch_next(r->w, &a);
		check(r, &a);
		kube_kind_free(&kind, a.object);
		base_assert(n < 1 << 20);
	}
}

static void end(struct run *r, uint8_t what)
{
	const struct err err = {.class = 1 + what % (ERR_CLASS_COUNT - 1), .retry_after = what};

	r->streaming = false;
	kube_watch_end(r->w, what & 0x80 ? &err : NULL);
}

/* One input: a byte says what, and for bytes how many follow. Returns how many were used. */
static size_t step(struct run *r, const uint8_t *p, size_t n)
{
	const size_t len = n - 1 < p[0] >> 2 ? n - 1 : p[0] >> 2;

	switch (p[0] & 3) {
	case 0:
		if (r->streaming)
			kube_watch_status(r->w);
		break;
	case 1:
		if (r->streaming)
			end(r, p[0] >> 2 << 2);
		break;
	case 2:
		r->fake.boot_ns += (int64_t)(1 + (p[0] >> 2)) * SCALE_MS * NS_PER_MS;
		break;
	default:
		if (r->streaming) {
			char *copy = base_strndup((const char *)p + 1, len);
			kube_watch_bytes(r->w, copy, len);
			pump(r);
			memset(copy, '#', len);
			base_free(copy);
		}
		return 1 + len;
	}
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {.fake = {.boot_ns = NS_PER_S, .seed = size}};
	const struct env env = base_env_fake(&r.fake);
	const struct kube_watch_spec spec = {.kind = &kind,
		.label_selector = STR("a=b"),
		.no_watch_list = size > 0 && data[0] & 1};
	const size_t live = base_alloc_live();

	if (size < 1 || kube_watch_new(&env, &spec, &r.w, NULL) < 0)
		return 0;
	pump(&r);
	for (size_t at = 1; at < size;) {
		at += step(&r, data + at, size - at);
		pump(&r);
	}
	kube_watch_free(r.w);
	base_assert(base_alloc_live() == live);
	return 0;
}
