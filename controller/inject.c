#include "controller/inject_impl.h"

#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

#define ARENA_MAX   (16UL << 20)
#define PATCH_MAX   (6UL << 20)
#define WARNING_MAX 250 /* the API server cuts warnings at 256 characters */

static bool has_agent_first(const struct controller_inject_review *r)
{
	return r->init.n > 0 && base_str_eq(r->init.items[0].name, STR(CRDS_AGENT_NAME));
}

/* What the webhook's rules and selectors say, once more: "false" always wins. */
static bool is_asked_for(const struct controller_inject_review *r)
{
	return base_str_eq(r->resource, STR("pods")) && r->subresource.n == 0 &&
	       base_str_eq(r->operation, STR("CREATE")) && base_str_eq(r->inject, STR("true"));
}

static int write_warning(struct kube_writer *w, struct str text, struct err *err)
{
	size_t n = text.n < WARNING_MAX ? text.n : WARNING_MAX;

	/* Not within a character. */
	while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return kube_write_text(w, base_str_sub(text, 0, n), err);
}

static bool is_container(const struct controller_inject_review *r, struct str name)
{
	for (size_t i = 0; i < r->main.n; i++)
		if (base_str_eq(r->main.items[i].name, name))
			return true;
	for (size_t i = 0; i < r->init.n; i++)
		if (base_str_eq(r->init.items[i].name, name))
			return true;
	return false;
}

/* What annotation functionkey.dev/containers names and the pod does not have; the first ones, among
 * as many names as a pod may have containers. */
static size_t find_strangers(
	const struct controller_inject_review *r, struct str strangers[INJECT_WARNINGS_MAX])
{
	const struct str list = r->containers_note;
	size_t n = 0, names = 0, end = 0;

	for (size_t at = 0; at < list.n && names < CONTROLLER_CONTAINERS_MAX; at = end + 1) {
		end = base_str_find(list, ',', at);
		const struct str name = base_str_trim(base_str_sub(list, at, end));
		names++;
		if (name.n && !is_container(r, name) && n < INJECT_WARNINGS_MAX)
			strangers[n++] = name;
	}
	return n;
}

static int write_warnings(struct kube_writer *w, const struct controller_inject_review *r,
	const struct err *why, struct err *err)
{
	const char *const advice[] = {
		controller_inject_announce_advice(r), controller_inject_metrics_advice(r)};
	struct str strangers[INJECT_WARNINGS_MAX];
	const size_t strangers_len = why ? 0 : find_strangers(r, strangers);
	struct str text = STR_NULL;

	if (!why && r->unknown_len + strangers_len == 0 && !advice[0] && !advice[1])
		return 0;
	TRY(kube_write_key_list(w, "warnings", err));
	if (why) {
		TRY(base_arena_printf(
			r->arena, &text, err, "functionkey: not injected: %s", why->msg));
		TRY(write_warning(w, text, err));
	}
	for (size_t i = 0; i < r->unknown_len; i++) {
		TRY(base_arena_printf(r->arena, &text, err,
			"functionkey: annotation %.*s is unknown and has no effect",
			STR_FMT(r->unknown[i])));
		TRY(write_warning(w, text, err));
	}
	for (size_t i = 0; i < strangers_len; i++) {
		TRY(base_arena_printf(r->arena, &text, err,
			"functionkey: annotation functionkey.dev/containers names %.*s, which is "
			"no container of the pod",
			STR_FMT(strangers[i])));
		TRY(write_warning(w, text, err));
	}
	for (size_t i = 0; i < ARRAY_LEN(advice); i++)
		if (advice[i])
			TRY(write_warning(w, base_str(advice[i]), err));
	return kube_write_end(w, err);
}

static int write_patch(struct kube_writer *w, const struct buf *patch, struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(CONTROLLER_ANSWER_MAX);

	TRY(kube_write_key_text(w, "patchType", STR("JSONPatch"), err));
	TRY(kube_write_key(w, STR("patch"), err));
	TRY(base_buf_add_byte(&text, '"', err));
	TRY(base_base64_add(&text, patch->data, patch->len, err));
	TRY(base_buf_add_byte(&text, '"', err));
	return kube_write_json(w, base_buf_str(&text), err);
}

static int write_answer(const struct controller_inject_review *r, const struct buf *patch,
	const struct err *why, struct buf *answer, struct err *err)
{
	struct kube_writer w = kube_writer(answer);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "apiVersion", STR("admission.k8s.io/v1"), err));
	TRY(kube_write_key_text(&w, "kind", STR("AdmissionReview"), err));
	TRY(kube_write_key_object(&w, "response", err));
	TRY(kube_write_key_text(&w, "uid", r->uid, err));
	TRY(kube_write_key_bool(&w, "allowed", true, err));
	if (patch->len)
		TRY(write_patch(&w, patch, err));
	TRY(write_warnings(&w, r, why, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int make(const struct controller_template *template,
	const struct controller_inject_review *r, const struct err *unknown, struct buf *patch,
	struct err *err)
{
	if (!template)
		return FAIL(err, ERR_NOT_READY,
			"podtemplate " CONTROLLER_TEMPLATE " is not known to the controller");
	if (unknown->class != ERR_OK)
		return FAIL(err, unknown->class, "podtemplate " CONTROLLER_TEMPLATE ": %s",
			unknown->msg);
	return controller_inject_patch(r, patch, err);
}

int controller_inject(const struct controller_template *template, struct str review,
	struct buf *answer, enum controller_injection *ret_done, struct err *err)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	_cleanup_(base_buf_done) struct buf patch = base_buf(PATCH_MAX);
	struct controller_inject_template t = {0};
	struct err bad = {0};
	struct err why = {0};
	enum controller_injection done = CONTROLLER_UNCHANGED;

	if (review.n > CONTROLLER_REVIEW_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a review of %zu bytes", review.n);
	TRY(base_arena_new(ARENA_MAX, &arena, err));
	if (template && controller_inject_read_template(template, arena, &t, &bad) == -ERR_NOMEM)
		return FAIL(err, ERR_NOMEM, "template");
	struct controller_inject_review r = {.arena = arena, .template = &t};
	const int read = controller_inject_read_review(review, &r, &why);
	if (read == -ERR_NOMEM || r.uid.n == 0)
		return FAIL(err, read < 0 ? why.class : ERR_INVALID, "not an AdmissionReview: %s",
			read < 0 ? why.msg : "no request.uid");
	if (read == 0 && is_asked_for(&r) &&
		(!has_agent_first(&r) || controller_inject_late_sink(&r))) {
		done = CONTROLLER_INJECTED;
		if (make(template, &r, &bad, &patch, &why) == -ERR_NOMEM)
			return FAIL(err, ERR_NOMEM, "patch");
	}
	if (why.class != ERR_OK) {
		base_buf_clear(&patch);
		done = CONTROLLER_FAILED;
	}
	TRY(write_answer(&r, &patch, why.class != ERR_OK ? &why : NULL, answer, err));
	*ret_done = done;
	return 0;
}
