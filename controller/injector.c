#include "controller/inject.h"
#include "controller/injector_internal.h"
#include "controller/metrics.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/text.h"

const void *controller_injector_object(
	const struct controller_injector *i, enum controller_injector_cache cache)
{
	static const char *const names[INJECTOR_CACHES] = {
		CONTROLLER_TEMPLATE, CONTROLLER_WEBHOOK_SECRET, CONTROLLER_WEBHOOK_CONFIGURATION};

	return kube_store_get(i->slots[cache].informer,
		cache == INJECTOR_CONFIGURATION ? STR_NULL : i->core->ns, base_str(names[cache]));
}

/* -- serving -- */

static int answer(void *ctx, struct str body, struct buf *out, struct err *err)
{
	struct controller_injector *i = ctx;
	const int64_t begun = base_boot_ns(&i->core->env);
	enum controller_injection done = CONTROLLER_REFUSED;
	const int r = controller_inject(
		controller_injector_object(i, INJECTOR_TEMPLATE), body, out, &done, err);

	controller_metrics_review(i->core->metrics, done, base_boot_ns(&i->core->env) - begun);
	if (r < 0)
		log_write(i->core->log, LOG_WARN, "a review cannot be answered",
			LOG_ERR("error", err));
	return r;
}

static int decode_texts(struct controller_injector *i, struct err *err)
{
	const struct controller_injector_secret *s = controller_injector_object(i, INJECTOR_SECRET);

	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++) {
		base_buf_clear(&i->texts[t]);
		if (s && s->data[t].n)
			TRY(base_unbase64_add(&i->texts[t], s->data[t], err));
	}
	return 0;
}

/* A Secret that is emptied takes nothing away: the certificate in use stays. */
static void load_certificate(struct controller_injector *i)
{
	const struct str chain = base_buf_str(&i->texts[CONTROLLER_SERVING]);
	struct err err = {0};

	if (chain.n == 0)
		return;
	if (controller_webhook_certificate(
		    i->webhook, chain, base_buf_str(&i->texts[CONTROLLER_SERVING_KEY]), &err) < 0) {
		log_write(i->core->log, LOG_WARN, "the webhook's certificate cannot be used",
			LOG_ERR("error", &err));
		return;
	}
	i->has_certificate = true;
	log_write(i->core->log, LOG_INFO, "serving the webhook with a new certificate",
		LOG_DUR("ends_in",
			controller_certs_not_after(chain) - base_wall_ns(&i->core->env)));
}

/* -- the caches -- */

static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	struct controller_injector_slot *slot = ctx;
	struct controller_injector *i = slot->i;
	struct err err = {0};

	(void)change;
	(void)old;
	(void)cur;
	if (slot == &i->slots[INJECTOR_SECRET]) {
		if (decode_texts(i, &err) < 0)
			log_write(i->core->log, LOG_WARN, "the webhook's secret cannot be read",
				LOG_ERR("error", &err));
		load_certificate(i);
	}
	if (slot != &i->slots[INJECTOR_TEMPLATE])
		controller_injector_look_in(i, 0);
}

static void on_synced(void *ctx)
{
	controller_injector_look_in(((struct controller_injector_slot *)ctx)->i, 0);
}

static void on_trouble(void *ctx, const struct err *err)
{
	static const char *const names[INJECTOR_CACHES] = {
		"podtemplates", "secrets", "mutatingwebhookconfigurations"};
	const struct controller_injector_slot *slot = ctx;

	log_write(slot->i->core->log, LOG_WARN, "cannot watch",
		LOG_STR("resource", base_str(names[slot - slot->i->slots])), LOG_ERR("error", err));
}

static int open_caches(struct controller_injector *i, struct err *err)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	static const struct {
		const struct kube_resource *resource;
		const struct kube_kind *kind;
		const char *field;
	} rows[INJECTOR_CACHES] = {
		[INJECTOR_TEMPLATE] = {&controller_podtemplates, &controller_template_kind,
			"metadata.name=" CONTROLLER_TEMPLATE},
		[INJECTOR_SECRET] = {&controller_secrets, &controller_secret_kind,
			"metadata.name=" CONTROLLER_WEBHOOK_SECRET},
		[INJECTOR_CONFIGURATION] = {&controller_webhook_configurations,
			&controller_webhook_configuration_kind,
			"metadata.name=" CONTROLLER_WEBHOOK_CONFIGURATION},
	};

	for (size_t n = 0; n < INJECTOR_CACHES; n++) {
		const struct kube_informer_spec spec = {.resource = rows[n].resource,
			.ns = rows[n].resource->namespaced ? i->core->ns : STR_NULL,
			.field_selector = base_str(rows[n].field),
			.kind = rows[n].kind};
		i->slots[n].i = i;
		TRY(kube_informer_new(i->core->client, &spec, &handler, &i->slots[n],
			&i->slots[n].informer, err));
	}
	return 0;
}

/* -- life -- */

static int add_name(struct controller_injector *i, struct str name, struct err *err)
{
	if (i->names_len == CONTROLLER_CERTS_NAMES)
		return FAIL(
			err, ERR_INVALID, "--webhook-names: more than %d", CONTROLLER_CERTS_NAMES);
	i->names[i->names_len++] = name;
	return 0;
}

static int add_service_names(struct controller_injector *i, struct err *err)
{
	static const char *const domains[] = {"", ".svc", ".svc.cluster.local"};

	TRY(add_name(i, STR(CONTROLLER_WEBHOOK_SERVICE), err));
	for (size_t n = 0; n < ARRAY_LEN(domains); n++) {
		(void)snprintf(i->own_names[n], sizeof(i->own_names[n]), "%s.%.*s%s",
			CONTROLLER_WEBHOOK_SERVICE, STR_FMT(i->core->ns), domains[n]);
		TRY(add_name(i, base_str(i->own_names[n]), err));
	}
	return 0;
}

/* The names of the option, or those of the Service. */
static int set_names(struct controller_injector *i, struct err *err)
{
	const struct str given = base_str(i->options->webhook_names);

	for (size_t at = 0; at < given.n;) {
		const size_t end = base_str_find(given, ',', at);
		const struct str name = base_str_trim(base_str_sub(given, at, end));
		at = end + 1;
		if (name.n)
			TRY(add_name(i, name, err));
	}
	return i->names_len ? 0 : add_service_names(i, err);
}

static int start(struct controller_injector *i, struct err *err)
{
	const struct controller_webhook_config config = {.loop = i->core->loop,
		.clock = i->core->env.clock,
		.address = i->options->webhook_address,
		.answer = answer,
		.ctx = i,
		.body_max = CONTROLLER_REVIEW_MAX};

	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++)
		i->texts[t] = base_buf(CONTROLLER_CERTS_PEM_MAX);
	TRY(set_names(i, err));
	if (uv_timer_init(i->core->loop, &i->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	i->timer.data = i;
	i->timer_open = true;
	TRY(controller_webhook_new(&config, &i->webhook, err));
	return open_caches(i, err);
}

int controller_injector_new(struct controller_core *core, const struct controller_options *options,
	struct controller_injector **ret_injector, struct err *err)
{
	_cleanup_(controller_injector_free) struct controller_injector *i =
		base_alloc(1, sizeof(*i));

	if (!i)
		return FAIL(err, ERR_NOMEM, "injector");
	i->core = core;
	i->options = options;
	TRY(start(i, err));
	*ret_injector = STEAL(i);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct controller_injector *controller_injector_free(struct controller_injector *i)
{
	if (!i)
		return NULL;
	for (size_t n = 0; n < INJECTOR_CACHES; n++)
		kube_informer_free(i->slots[n].informer);
	kube_cancel(i->call);
	controller_webhook_free(i->webhook);
	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++)
		base_buf_wipe(&i->texts[t]);
	if (i->timer_open)
		uv_close((uv_handle_t *)&i->timer, timer_closed);
	else
		base_free(i);
	return NULL;
}

void controller_injector_activate(struct controller_injector *i, bool active)
{
	i->active = active;
	controller_injector_look_in(i, 0);
}

void controller_injector_drain(struct controller_injector *i)
{
	controller_webhook_drain(i->webhook);
}

bool controller_injector_ready(const struct controller_injector *i)
{
	return kube_informer_synced(i->slots[INJECTOR_TEMPLATE].informer) &&
	       kube_informer_synced(i->slots[INJECTOR_SECRET].informer) &&
	       (i->has_certificate || i->texts[CONTROLLER_SERVING].len == 0);
}

void controller_injector_collect(const struct controller_injector *i)
{
	const struct controller_webhook_stats stats = controller_webhook_stats(i->webhook);

	controller_metrics_webhook(i->core->metrics, stats.connections, stats.turned_away,
		controller_certs_not_after(base_buf_str(&i->texts[CONTROLLER_CA])),
		controller_certs_not_after(base_buf_str(&i->texts[CONTROLLER_SERVING])));
}
