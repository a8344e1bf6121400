/* The active replica's part: what the Secret holds is rotated, and the API servers are told whom to
 * trust. */
#include "controller/injector_internal.h"

#include "pkg/base/log.h"
#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

#define BODY_MAX     (1u << 20)
#define WEBHOOKS_MAX 8    /* of the configuration */
#define LOOK_MIN_MS  1000 /* between two looks at the certificates */
#define LOOK_MAX_MS  (6 * 3600 * 1000)
#define RETRY_MAX_MS 60000

const struct kube_resource controller_secrets = {"", "v1", "secrets", "Secret", true};
const struct kube_resource controller_webhook_configurations = {"admissionregistration.k8s.io",
	"v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false};

/* -- what is kept of the two objects -- */

#define DATA(name, text)                                               \
	{"/data/" text, KUBE_FIELD_TEXT, 2 * CONTROLLER_CERTS_PEM_MAX, \
		offsetof(struct controller_injector_secret, data[CONTROLLER_##name])},
static const struct kube_field secret_fields[] = {
	KUBE_META_FIELDS(struct controller_injector_secret, meta), CONTROLLER_CERTS(DATA)};
#undef DATA
static const struct kube_projection secret_projection = {
	secret_fields, ARRAY_LEN(secret_fields), sizeof(struct controller_injector_secret)};
const struct kube_kind controller_secret_kind = {.projection = &secret_projection};

struct webhook_row {
	struct str name, bundle; /* base64 */
};
static const struct kube_field row_fields[] = {
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct webhook_row, name)},
	{"/clientConfig/caBundle", KUBE_FIELD_TEXT, 1u << 20, offsetof(struct webhook_row, bundle)},
};
static const struct kube_projection row_projection = {
	row_fields, ARRAY_LEN(row_fields), sizeof(struct webhook_row)};

struct configuration_object {
	struct kube_meta meta;
	struct kube_list webhooks;
};
static const struct kube_field configuration_fields[] = {
	KUBE_META_FIELDS(struct configuration_object, meta),
	{"/webhooks", KUBE_FIELD_LIST, WEBHOOKS_MAX,
		offsetof(struct configuration_object, webhooks), &row_projection},
};
static const struct kube_projection configuration_projection = {
	configuration_fields, ARRAY_LEN(configuration_fields), sizeof(struct configuration_object)};
const struct kube_kind controller_webhook_configuration_kind = {
	.projection = &configuration_projection};

/* -- keeping the certificates -- */

static void look(uv_timer_t *timer);

void controller_injector_look_in(struct controller_injector *i, int64_t ms)
{
	if (ms > LOOK_MAX_MS)
		ms = LOOK_MAX_MS;
	(void)uv_timer_start(&i->timer, look, ms > 0 ? (uint64_t)ms : 0, 0);
}

static bool keeps(const struct controller_injector *i)
{
	return i->active && i->options->webhook_certificates == CONTROLLER_CERTIFICATES_OWN;
}

/* The write is seen by the watch; what failed is tried again by looking again. */
static void written(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_injector *i = ctx;

	(void)resp;
	i->call = NULL;
	if (!err) {
		i->retry_ms = 0;
		controller_injector_look_in(i, LOOK_MIN_MS);
		return;
	}
	if (err->class != ERR_CONFLICT)
		log_write(i->core->log, LOG_WARN, "the webhook's certificates cannot be written",
			LOG_ERR("error", err));
	i->retry_ms = i->retry_ms ? 2 * i->retry_ms : LOOK_MIN_MS;
	if (i->retry_ms > RETRY_MAX_MS)
		i->retry_ms = RETRY_MAX_MS;
	controller_injector_look_in(i, i->retry_ms);
}

static int write_object(struct controller_injector *i, const struct kube_resource *resource,
	enum kube_verb verb, struct str name, const struct buf *body, struct err *err)
{
	const struct kube_request request = {.verb = verb,
		.resource = resource,
		.ns = resource->namespaced ? i->core->ns : STR_NULL,
		.name = name,
		.body = base_buf_str(body),
		.field_manager = CONTROLLER_FIELD_MANAGER};

	return kube_start(i->core->client, &request, written, i, &i->call, err);
}

static int write_secret(struct controller_injector *i, const struct controller_injector_secret *s,
	const struct controller_certs_plan *plan, struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf body = base_buf(BODY_MAX);
	_cleanup_(base_buf_wipe) struct buf text = base_buf(BODY_MAX);
	struct kube_writer w = kube_writer(&body);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "resourceVersion", s->meta.rv, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "data", err));
	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++) {
		const struct buf *from = &plan->texts[t];
		TRY(kube_write_key(&w, base_str(controller_certs_names[t]), err));
		base_buf_clear(&text);
		TRY(base_base64_add(&text, from->data, from->len, err));
		if (text.len)
			TRY(kube_write_text(&w, base_buf_str(&text), err));
		else
			TRY(kube_write_null(&w, err));
	}
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	log_write(i->core->log, LOG_INFO, "the webhook's certificates change",
		LOG_STR("what", base_str(plan->why)));
	return write_object(i, &controller_secrets, KUBE_PATCH_MERGE,
		STR(CONTROLLER_WEBHOOK_SECRET), &body, err);
}

/* What API servers shall trust, as base64; empty while there is nothing. */
static int wanted_bundle(struct controller_injector *i, struct buf *b, struct err *err)
{
	_cleanup_(base_buf_done) struct buf pem = base_buf(BODY_MAX);
	struct str have[CONTROLLER_CERTS_TEXTS];

	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++)
		have[t] = base_buf_str(&i->texts[t]);
	TRY(controller_certs_bundle(have, &pem, err));
	return base_base64_add(b, pem.data, pem.len, err);
}

static bool is_published(const struct configuration_object *c, struct str bundle)
{
	const struct webhook_row *rows = c ? c->webhooks.items : NULL;

	for (size_t n = 0; c && n < c->webhooks.n; n++)
		if (!base_str_eq(rows[n].bundle, bundle))
			return false;
	return c && bundle.n > 0;
}

static int publish(struct controller_injector *i, const struct configuration_object *c,
	struct str bundle, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_BODY_MAX);
	struct kube_patch patch = kube_patch(&body);
	const struct webhook_row *rows = c->webhooks.items;
	char path[64];

	for (size_t n = 0; n < c->webhooks.n; n++) {
		(void)snprintf(path, sizeof(path), "/webhooks/%zu/name", n);
		TRY(kube_patch_test_text(&patch, path, rows[n].name, err));
		(void)snprintf(path, sizeof(path), "/webhooks/%zu/clientConfig/caBundle", n);
		TRY(kube_patch_add_text(&patch, path, bundle, err));
	}
	TRY(kube_patch_end(&patch, err));
	log_write(i->core->log, LOG_INFO, "telling the API servers whom to trust");
	return write_object(i, &controller_webhook_configurations, KUBE_PATCH_JSON,
		STR(CONTROLLER_WEBHOOK_CONFIGURATION), &body, err);
}

/* First the authorities are told, then the certificates change: one write at a time. */
static int keep(struct controller_injector *i, struct err *err)
{
	_cleanup_(controller_certs_plan_done) struct controller_certs_plan plan = {0};
	_cleanup_(base_buf_done) struct buf bundle = base_buf(BODY_MAX);
	const struct controller_injector_secret *s = controller_injector_object(i, INJECTOR_SECRET);
	const struct configuration_object *c =
		controller_injector_object(i, INJECTOR_CONFIGURATION);
	struct controller_certs_view v = {.names_len = i->names_len,
		.ca_life_ns = i->options->webhook_ca_life_ns,
		.serving_life_ns = i->options->webhook_certificate_life_ns};

	if (!s || !c)
		return FAIL(err, ERR_NOT_READY, "%s is not there: install manifests/webhook",
			s ? "mutatingwebhookconfiguration " CONTROLLER_WEBHOOK_CONFIGURATION
			  : "secret " CONTROLLER_WEBHOOK_SECRET);
	TRY(wanted_bundle(i, &bundle, err));
	v.published = is_published(c, base_buf_str(&bundle));
	for (size_t t = 0; t < CONTROLLER_CERTS_TEXTS; t++)
		v.have[t] = base_buf_str(&i->texts[t]);
	memcpy(v.names, i->names, sizeof(v.names));
	TRY(controller_certs_step(&v, &i->core->env, &plan, err));
	if (plan.why)
		return write_secret(i, s, &plan, err);
	if (!v.published && bundle.len)
		return publish(i, c, base_buf_str(&bundle), err);
	const int64_t wait_ms = (plan.wake_ns - base_wall_ns(&i->core->env)) / NS_PER_MS;
	controller_injector_look_in(i, wait_ms > LOOK_MIN_MS ? wait_ms : LOOK_MIN_MS);
	return 0;
}

static void look(uv_timer_t *timer)
{
	struct controller_injector *i = timer->data;
	struct err err = {0};

	if (!keeps(i) || i->call || !kube_informer_synced(i->slots[INJECTOR_SECRET].informer) ||
		!kube_informer_synced(i->slots[INJECTOR_CONFIGURATION].informer))
		return;
	if (keep(i, &err) == 0)
		return;
	log_write(i->core->log, LOG_WARN, "the webhook's certificates cannot be kept",
		LOG_ERR("error", &err));
	controller_injector_look_in(i, RETRY_MAX_MS);
}
