/* What it costs to take in 5,000 pods: LIST and watch events through frame, reader, projection and
 * informer store, beside json-c on the same items in the same run. Prints lines of "name unit value
 * low high" (bench/kube.sh makes JSON of them). Processor time of this process. */
#include "pkg/base/alloc.h"
#include "pkg/kube/frame.h"
#include "pkg/kube/store.h"
#include "pkg/kube/watch.h"

#include <json-c/json.h>
#include <malloc.h>

#define PODS       5000
#define PIECE      16384 /* what libcurl hands over at once */
#define ROUNDS     7
#define POD_MAX    (16u << 10)
#define STREAM_MAX ((size_t)128 << 20)

struct condition {
	struct str type, status;
};
struct container {
	struct str name;
	int64_t restarts;
	bool ready, terminated;
};
struct owner {
	struct str kind, name, uid;
	bool controller;
};
struct pod {
	struct kube_meta meta;
	struct str node, phase, ip, revision, function, hash;
	bool deleting;
	struct kube_list owners, conditions, init;
};

static const struct kube_field condition_fields[] = {
	{"/type", KUBE_FIELD_TEXT, 316, offsetof(struct condition, type)},
	{"/status", KUBE_FIELD_TEXT, 16, offsetof(struct condition, status)},
};
static const struct kube_projection condition = {
	condition_fields, ARRAY_LEN(condition_fields), sizeof(struct condition)};
static const struct kube_field container_fields[] = {
	{"/name", KUBE_FIELD_TEXT, 63, offsetof(struct container, name)},
	{"/restartCount", KUBE_FIELD_INT, 0, offsetof(struct container, restarts)},
	{"/ready", KUBE_FIELD_BOOL, 0, offsetof(struct container, ready)},
	{"/state/terminated", KUBE_FIELD_PRESENT, 0, offsetof(struct container, terminated)},
};
static const struct kube_projection container = {
	container_fields, ARRAY_LEN(container_fields), sizeof(struct container)};
static const struct kube_field owner_fields[] = {
	{"/kind", KUBE_FIELD_TEXT, 63, offsetof(struct owner, kind)},
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct owner, name)},
	{"/uid", KUBE_FIELD_TEXT, 128, offsetof(struct owner, uid)},
	{"/controller", KUBE_FIELD_BOOL, 0, offsetof(struct owner, controller)},
};
static const struct kube_projection owner = {
	owner_fields, ARRAY_LEN(owner_fields), sizeof(struct owner)};
static const struct kube_field pod_fields[] = {
	KUBE_META_FIELDS(struct pod, meta),
	{"/metadata/deletionTimestamp", KUBE_FIELD_PRESENT, 0, offsetof(struct pod, deleting)},
	{"/metadata/labels/functionkey.dev~1revision", KUBE_FIELD_TEXT, 63,
		offsetof(struct pod, revision)},
	{"/metadata/labels/functionkey.dev~1function", KUBE_FIELD_TEXT, 63,
		offsetof(struct pod, function)},
	{"/metadata/labels/pod-template-hash", KUBE_FIELD_TEXT, 63, offsetof(struct pod, hash)},
	{"/metadata/ownerReferences", KUBE_FIELD_LIST, 8, offsetof(struct pod, owners), &owner},
	{"/spec/nodeName", KUBE_FIELD_TEXT, 253, offsetof(struct pod, node)},
	{"/status/phase", KUBE_FIELD_TEXT, 16, offsetof(struct pod, phase)},
	{"/status/podIP", KUBE_FIELD_TEXT, 64, offsetof(struct pod, ip)},
	{"/status/conditions", KUBE_FIELD_LIST, 16, offsetof(struct pod, conditions), &condition},
	{"/status/initContainerStatuses", KUBE_FIELD_LIST, 16, offsetof(struct pod, init),
		&container},
};
static const struct kube_projection pod = {pod_fields, ARRAY_LEN(pod_fields), sizeof(struct pod)};
static const struct kube_kind pod_kind = {.projection = &pod};

/* ---- synthetic pods ---- */

#define MUST(expr) base_assert((expr) == 0)

static void add_managed_fields(struct buf *b)
{
	MUST(base_buf_addf(b, NULL, ",\"managedFields\":["));
	for (int m = 0; m < 2; m++) {
		MUST(base_buf_addf(b, NULL,
			"%s{\"manager\":\"%s\",\"operation\":\"Update\",\"apiVersion\":\"v1\","
			"\"time\":"
			"\"2026-11-21T09:00:00Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:"
			"metadata\":"
			"{\"f:labels\":{\".\":{},\"f:app\":{}}},\"f:spec\":{\"f:containers\":{",
			m ? "," : "", m ? "kubelet" : "kube-controller-manager"));
		for (int f = 0; f < 34; f++)
			MUST(base_buf_addf(b, NULL,
				"%s\"k:{\\\"name\\\":\\\"c-%d\\\"}\":{\".\":{},\"f:image\":{},\"f:"
				"name\":{},"
				"\"f:env\":{}}",
				f ? "," : "", f));
		MUST(base_buf_add_str(b, STR("}}}}"), NULL));
	}
	MUST(base_buf_add_str(b, STR("]"), NULL));
}

static void add_spec(struct buf *b, int i)
{
	MUST(base_buf_addf(
		b, NULL, "},\"spec\":{\"nodeName\":\"node-%d\",\"containers\":[", i % 50));
	for (int c = 0; c < 2; c++) {
		MUST(base_buf_addf(b, NULL,
			"%s{\"name\":\"c-%d\",\"image\":\"registry.example.org/team/"
			"function:%d\",\"env\":[",
			c ? "," : "", c, i));
		for (int e = 0; e < 36; e++)
			MUST(base_buf_addf(b, NULL,
				"%s{\"name\":\"SETTING_%d\",\"value\":\"a value of ordinary length "
				"%d\"}",
				e ? "," : "", e, i));
		MUST(base_buf_addf(b, NULL,
			"],\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"128Mi\"}},"
			"\"volumeMounts\":"
			"[{\"name\":\"token\",\"readOnly\":true,\"mountPath\":\"/var/run/"
			"secrets\"}],"
			"\"terminationMessagePath\":\"/dev/termination-log\",\"imagePullPolicy\":"
			"\"IfNotPresent\"}"));
	}
	MUST(base_buf_addf(b, NULL,
		"],\"tolerations\":[{\"key\":\"node.kubernetes.io/"
		"not-ready\",\"operator\":\"Exists\","
		"\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"restartPolicy\":\"Always\"}"
		","));
}

static void add_status(struct buf *b, int i)
{
	static const char *const types[] = {"PodReadyToStartContainers", "Initialized", "Ready",
		"ContainersReady", "PodScheduled"};

	MUST(base_buf_addf(b, NULL,
		"\"status\":{\"phase\":\"Running\",\"podIP\":\"10.1.%d.%d\","
		"\"conditions\":[",
		i / 250, i % 250));
	for (size_t t = 0; t < ARRAY_LEN(types); t++)
		MUST(base_buf_addf(b, NULL,
			"%s{\"type\":\"%s\",\"status\":\"True\",\"lastProbeTime\":null,"
			"\"lastTransitionTime\":\"2026-11-21T09:00:00Z\"}",
			t ? "," : "", types[t]));
	MUST(base_buf_addf(b, NULL,
		"],\"initContainerStatuses\":[{\"name\":\"functionkey-agent\",\"state\":{"
		"\"running\":{"
		"\"startedAt\":\"2026-11-21T09:00:00Z\"}},\"ready\":true,\"restartCount\":%d,"
		"\"image\":"
		"\"agent\",\"imageID\":\"\",\"containerID\":\"containerd://%064d\"}]}}",
		i % 3, i));
}

static void add_pod(struct buf *b, int i, int version)
{
	MUST(base_buf_addf(b, NULL,
		"{\"metadata\":{\"name\":\"billing-%08d\",\"namespace\":\"ns-%d\",\"uid\":"
		"\"00000000-0000-4000-8000-%012d\",\"resourceVersion\":\"%d\","
		"\"creationTimestamp\":"
		"\"2026-11-21T09:00:00Z\",\"labels\":{\"app\":\"billing\",\"pod-template-hash\":\"%"
		"08x\","
		"\"functionkey.dev/revision\":\"billing-%d\",\"functionkey.dev/"
		"function\":\"billing\"},"
		"\"annotations\":{\"example.org/note\":\"some text, \\\"quoted\\\"\"},"
		"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":"
		"\"billing-%d\",\"uid\":\"00000000-0000-4000-9000-%012d\",\"controller\":true}]",
		i, i % 20, i, version, (unsigned)i, i / 10, i / 10, i / 10));
	add_managed_fields(b);
	add_spec(b, i);
	add_status(b, i);
}

/* ---- the two readers ---- */

static uint64_t sum_pod(const struct pod *p)
{
	const struct condition *c = p->conditions.items;
	const struct container *n = p->init.items;
	const struct owner *o = p->owners.items;
	uint64_t sum = p->meta.name.n + 3 * p->meta.uid.n + p->meta.rv.n + p->meta.ns.n +
		       p->node.n + p->phase.n + 5 * p->ip.n + p->revision.n + p->function.n +
		       p->hash.n;

	for (size_t i = 0; i < p->conditions.n; i++)
		sum += c[i].type.n + c[i].status.n;
	for (size_t i = 0; i < p->init.n; i++)
		sum += n[i].name.n + (uint64_t)n[i].restarts + n[i].ready;
	for (size_t i = 0; i < p->owners.n; i++)
		sum += o[i].kind.n + o[i].name.n + o[i].uid.n + o[i].controller;
	return sum;
}

static uint64_t ours(struct str doc)
{
	void *object = NULL;

	MUST(kube_project(&pod, doc, &object, NULL));
	const uint64_t sum = sum_pod(object);
	base_free(object);
	return sum;
}

static struct json_object *at(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static uint64_t len(struct json_object *o, const char *key)
{
	struct json_object *v = at(o, key);

	return v ? (uint64_t)json_object_get_string_len(v) : 0;
}

static uint64_t theirs(struct str doc)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o = json_tokener_parse_ex(tok, doc.p, (int)doc.n);
	struct json_object *meta = at(o, "metadata"), *labels = at(meta, "labels"),
			   *status = at(o, "status"), *list = at(status, "conditions");
	uint64_t sum = len(meta, "name") + 3 * len(meta, "uid") + len(meta, "resourceVersion") +
		       len(meta, "namespace") + len(at(o, "spec"), "nodeName") +
		       len(status, "phase") + 5 * len(status, "podIP") +
		       len(labels, "functionkey.dev/revision") +
		       len(labels, "functionkey.dev/function") + len(labels, "pod-template-hash");

	for (size_t i = 0; i < json_object_array_length(list); i++)
		sum += len(json_object_array_get_idx(list, i), "type") +
		       len(json_object_array_get_idx(list, i), "status");
	list = at(status, "initContainerStatuses");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *c = json_object_array_get_idx(list, i);
		sum += len(c, "name") + (uint64_t)json_object_get_int64(at(c, "restartCount")) +
		       (uint64_t)json_object_get_boolean(at(c, "ready"));
	}
	list = at(meta, "ownerReferences");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		sum += len(r, "kind") + len(r, "name") + len(r, "uid") +
		       (uint64_t)json_object_get_boolean(at(r, "controller"));
	}
	json_object_put(o);
	json_tokener_free(tok);
	return sum;
}

/* ---- measuring ---- */

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double pass(const struct buf *stream, uint64_t (*reader)(struct str doc), uint64_t *ret_sum)
{
	const double start = now();
	struct kube_frame_doc doc;
	struct kube_frame f;
	uint64_t sum = 0, n = 0;

	kube_frame_init(&f, KUBE_FRAME_LIST);
	for (size_t from = 0; from < stream->len; from += PIECE) {
		const size_t left = stream->len - from;
		kube_frame_feed(&f, stream->data + from, left < PIECE ? left : PIECE);
		for (bool more = true; more;) {
			MUST(kube_frame_next(&f, &doc, &more, NULL));
			if (!more || doc.object.n == 0)
				continue;
			sum += reader(doc.object);
			n++;
		}
	}
	MUST(kube_frame_end(&f, NULL));
	kube_frame_done(&f);
	base_assert(n == PODS);
	*ret_sum = sum;
	return now() - start;
}

static void sort(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && v[k] < v[k - 1]; k--) {
			const double x = v[k];
			v[k] = v[k - 1];
			v[k - 1] = x;
		}
}

static void report(const char *name, const char *unit, double *v, size_t n)
{
	sort(v, n);
	printf("%s %s %.6f %.6f %.6f\n", name, unit, v[n / 2], v[0], v[n - 1]);
}

static void bench_list(const struct buf *stream)
{
	double mine[ROUNDS], peer[ROUNDS];
	uint64_t a = 0, b = 1;

	for (size_t i = 0; i < ROUNDS; i++) {
		mine[i] = pass(stream, ours, &a);
		peer[i] = pass(stream, theirs, &b);
		base_assert(a == b && a > 0);
	}
	report("list-5000-pods", "s", mine, ROUNDS);
	report("list-5000-pods-json-c", "s", peer, ROUNDS);
}

/* Takes what the machine has for the store. */
static void drain(struct kube_watch *w, struct kube_store *s)
{
	struct kube_watch_action a = {.act = KUBE_WATCH_TROUBLE};
	void *old = NULL;

	while (a.act != KUBE_WATCH_WAIT) {
		kube_watch_next(w, &a);
		base_assert(a.act != KUBE_WATCH_TROUBLE);
		if (!a.object)
			continue;
		MUST(kube_store_put(s, a.object, &old, NULL));
		kube_kind_free(&pod_kind, old);
	}
}

static void feed(struct kube_watch *w, struct kube_store *s, const struct buf *b)
{
	for (size_t from = 0; from < b->len; from += PIECE) {
		const size_t left = b->len - from;
		kube_watch_bytes(w, b->data + from, left < PIECE ? left : PIECE);
		drain(w, s);
	}
}

/* The same pods as the first set of a WatchList, then as changes; and what a cached pod takes. */
static void bench_watch(struct buf *b)
{
	const struct env env = base_env_system();
	const struct kube_watch_spec spec = {.kind = &pod_kind};
	struct kube_watch *w = NULL;
	struct kube_store *s = NULL;
	double each[ROUNDS], size;

	MUST(kube_watch_new(&env, &spec, &w, NULL));
	MUST(kube_store_new(&pod_kind, &s, NULL));
	drain(w, s);
	kube_watch_status(w);
	const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (int round = 0; round <= ROUNDS; round++) {
		base_buf_clear(b);
		for (int i = 0; i < PODS; i++) {
			MUST(base_buf_addf(b, NULL,
				"{\"type\":\"%s\",\"object\":", round ? "MODIFIED" : "ADDED"));
			add_pod(b, i, 1000 + round * PODS + i);
			MUST(base_buf_add_str(b, STR("}\n"), NULL));
		}
		if (!round)
			MUST(base_buf_addf(b, NULL,
				"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
				"\"resourceVersion\":"
				"\"1\",\"annotations\":{\"k8s.io/"
				"initial-events-end\":\"true\"}}}}"));
		const double start = now();
		feed(w, s, b);
		if (round)
			each[round - 1] = (now() - start) / PODS * 1e6;
		else
			size = (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / PODS;
	}
	base_assert(kube_store_len(s) == PODS);
	report("watch-event", "us", each, ROUNDS);
	report("cached-pod", "B", &size, 1);
	kube_watch_free(w);
	kube_store_free(s);
}

int main(void)
{
	_cleanup_(base_buf_done) struct buf stream = base_buf(STREAM_MAX);

	MUST(base_buf_add_str(&stream,
		STR("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		    "\"9\"},"
		    "\"items\":["),
		NULL));
	for (int i = 0; i < PODS; i++) {
		if (i)
			MUST(base_buf_add_str(&stream, STR(","), NULL));
		add_pod(&stream, i, 1000 + i);
	}
	MUST(base_buf_add_str(&stream, STR("]}"), NULL));
	double pod_size = (double)stream.len / PODS;
	report("pod-on-the-wire", "B", &pod_size, 1);
	bench_list(&stream);
	bench_watch(&stream);
	return 0;
}
