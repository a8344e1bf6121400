/* Encoding by the same rows as decoding: a field that is zero is left out. */
#include "crds/fields.h"

#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

static bool is_zero(const void *p, size_t n)
{
	const unsigned char *b = p;
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= b[i];
	return all == 0;
}

static const size_t sizes[CRDS_KIND_COUNT] = {
	[CRDS_TEXT] = 0, /* its length counts, below */
	[CRDS_UID] = 0,
	[CRDS_ID] = sizeof(int64_t),
	[CRDS_COUNT] = sizeof(int64_t),
	[CRDS_GENERATION] = sizeof(int64_t),
	[CRDS_PRESENT] = sizeof(bool),
	[CRDS_POINT] = sizeof(struct crds_point),
	[CRDS_FINGERPRINT] = sizeof(struct crds_fingerprint),
	[CRDS_SIGNATURE] = sizeof(struct crds_signature),
	[CRDS_TIME] = sizeof(int64_t),
	[CRDS_DURATION] = sizeof(int64_t),
	[CRDS_WORD] = sizeof(int),
};

static bool is_absent(const struct crds_field *f, const void *from)
{
	return sizes[f->kind] ? is_zero(from, sizes[f->kind]) : ((const struct str *)from)->n == 0;
}

static int write_hex(struct kube_writer *w, const void *from, size_t n, struct err *err)
{
	char hex[2 * sizeof(struct crds_signature) + 1];

	base_hex(from, n, hex);
	return kube_write_text(w, base_str(hex), err);
}

static int write_time(struct kube_writer *w, const int64_t *from, struct err *err)
{
	char text[BASE_TIME_LEN];

	base_time_format(*from, text);
	return kube_write_text(w, base_str(text), err);
}

static int write_duration(struct kube_writer *w, const int64_t *from, struct err *err)
{
	char text[CRDS_DURATION_LEN];

	TRY(crds_duration_format(*from, text, err));
	return kube_write_text(w, base_str(text), err);
}

static int write_value(
	struct kube_writer *w, const struct crds_field *f, const void *from, struct err *err)
{
	switch (f->kind) {
	case CRDS_TEXT:
	case CRDS_UID:
		return kube_write_text(w, *(const struct str *)from, err);
	case CRDS_ID:
	case CRDS_COUNT:
	case CRDS_GENERATION:
		return kube_write_int(w, *(const int64_t *)from, err);
	case CRDS_PRESENT:
		return kube_write_bool(w, *(const bool *)from, err);
	case CRDS_POINT:
	case CRDS_FINGERPRINT:
	case CRDS_SIGNATURE:
		return write_hex(w, from, sizes[f->kind], err);
	case CRDS_TIME:
		return write_time(w, from, err);
	case CRDS_DURATION:
		return write_duration(w, from, err);
	case CRDS_WORD:
		return kube_write_text(w, base_str(f->words[*(const int *)from]), err);
	case CRDS_KIND_COUNT:
		break;
	}
	return FAIL(err, ERR_BUG, "a field without kind");
}

/* The members of `shape` that stand directly below `prefix`. */
static int write_members(struct kube_writer *w, const struct crds_shape *shape, const void *object,
	const char *prefix, struct err *err)
{
	const struct str under = base_str(prefix);

	for (size_t i = 0; i < shape->n; i++) {
		const struct crds_field *f = &shape->fields[i];
		const void *from = (const char *)object + f->offset;
		const struct str path = base_str(f->path);
		if (!base_str_starts(path, under) || base_str_find(path, '/', under.n) < path.n ||
			is_absent(f, from))
			continue;
		TRY(kube_write_key(w, base_str_sub(path, under.n, path.n), err));
		TRY(write_value(w, f, from, err));
	}
	return 0;
}

static int write_object(struct kube_writer *w, const struct crds_shape *shape, const void *object,
	const char *prefix, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(write_members(w, shape, object, prefix, err));
	return kube_write_end(w, err);
}

static int write_child(struct kube_writer *w, const char *key, const struct crds_functionkey *fk,
	const char *prefix, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return write_object(w, &crds_shape_root, fk, prefix, err);
}

static int write_owner(struct kube_writer *w, const struct crds_functionkey *fk, struct err *err)
{
	TRY(kube_write_key_list(w, "ownerReferences", err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "apiVersion", fk->owner_api_version, err));
	TRY(kube_write_key_text(w, "kind", fk->owner_kind, err));
	TRY(kube_write_key_text(w, "name", fk->owner_name, err));
	TRY(kube_write_key_text(w, "uid", fk->owner_uid, err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

static int write_metadata(struct kube_writer *w, const struct crds_functionkey *fk, struct err *err)
{
	const bool leader = fk->role == CRDS_LEADER;

	TRY(kube_write_key_object(w, "metadata", err));
	TRY(kube_write_key_text(w, "namespace", fk->ns, err));
	TRY(kube_write_key_text(w, "name", fk->name, err));
	TRY(kube_write_key_object(w, "labels", err));
	TRY(kube_write_key_text(w, CRDS_LABEL_FOR, leader ? fk->revision : fk->pod_uid, err));
	TRY(kube_write_key_text(w, CRDS_LABEL_REVISION, fk->revision, err));
	TRY(kube_write_key_text(w, CRDS_LABEL_ROLE, leader ? STR("leader") : STR("member"), err));
	if (leader)
		TRY(kube_write_key_text(w, CRDS_LABEL_FUNCTION, fk->function, err));
	TRY(kube_write_end(w, err));
	if (fk->owner_uid.n)
		TRY(write_owner(w, fk, err));
	return kube_write_end(w, err);
}

static int write_begin(struct kube_writer *w, const struct crds_functionkey *fk, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "apiVersion", STR(CRDS_GROUP "/" CRDS_VERSION), err));
	TRY(kube_write_key_text(w, "kind", STR("FunctionKey"), err));
	TRY(write_metadata(w, fk, err));
	TRY(kube_write_key_object(w, "spec", err));
	return write_members(w, &crds_shape_root, fk, "/spec/", err);
}

int crds_member_json(const struct crds_functionkey *member, struct str owner_pod_uid, struct buf *b,
	struct err *err)
{
	struct kube_writer w = kube_writer(b);
	struct crds_functionkey fk = {.role = CRDS_MEMBER,
		.ns = member->ns,
		.name = member->name,
		.revision = member->revision,
		.pod = member->pod,
		.pod_uid = member->pod_uid,
		.incarnation = member->incarnation,
		.receiving = member->receiving,
		.inbox = member->inbox,
		.identity = member->identity,
		.proof = member->proof,
		.owner_api_version = STR("v1"),
		.owner_kind = STR("Pod"),
		.owner_name = member->pod,
		.owner_uid = owner_pod_uid};

	TRY(write_begin(&w, &fk, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_revoked(struct kube_writer *w, const struct crds_functionkey *fk, struct err *err)
{
	TRY(kube_write_key_list(w, "revoked", err));
	for (size_t i = 0; i < fk->revoked_len; i++)
		TRY(kube_write_text(w, fk->revoked[i], err));
	return kube_write_end(w, err);
}

int crds_leader_json(const struct crds_functionkey *leader, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);
	struct crds_functionkey fk = *leader;

	fk.role = CRDS_LEADER;
	TRY(write_begin(&w, &fk, err));
	if (fk.retention_min_age_s || fk.retention_max_epochs)
		TRY(write_child(&w, "retention", &fk, "/spec/retention/", err));
	if (fk.rotation_period_s || fk.rotation_after_epoch)
		TRY(write_child(&w, "rotation", &fk, "/spec/rotation/", err));
	if (fk.revoked_len)
		TRY(write_revoked(&w, &fk, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int crds_leader_status_json(const struct crds_leader *leader, struct buf *b, struct err *err)
{
	const struct crds_functionkey fk = {.leader = *leader};
	struct kube_writer w = kube_writer(b);

	return write_object(&w, &crds_shape_root, &fk, "/status/leader/", err);
}

int crds_certificate_json(
	const struct crds_certificate *certificate, struct buf *b, struct err *err)
{
	const struct crds_functionkey fk = {.certificate = *certificate};
	struct kube_writer w = kube_writer(b);

	return write_object(&w, &crds_shape_root, &fk, "/status/certificate/", err);
}

static int write_key(struct kube_writer *w, const struct crds_key *key, struct err *err)
{
	struct crds_key k = *key;

	if (!k.has_link) {
		k.link = (struct crds_signature){0};
		k.previous = 0;
	}
	return write_object(w, &crds_shape_key, &k, "/", err);
}

int crds_key_json(const struct crds_key *key, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	return write_key(&w, key, err);
}

int crds_revocations_json(
	const struct crds_functionkey *leader, int64_t epoch, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_list(&w, err));
	for (size_t i = 0; i < leader->revoked_len; i++) {
		const struct crds_revocation *old =
			crds_revocation_find(leader, leader->revoked[i]);
		const struct crds_revocation row = {
			.pod_uid = leader->revoked[i], .epoch = old ? old->epoch : epoch};
		TRY(write_object(&w, &crds_shape_revocation, &row, "/", err));
	}
	return kube_write_end(&w, err);
}

int crds_keys_json(const struct crds_key *keys, size_t n, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_list(&w, err));
	for (size_t i = 0; i < n; i++)
		TRY(write_key(&w, &keys[i], err));
	return kube_write_end(&w, err);
}

int crds_grant_json(const struct crds_grant *grant, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	return write_object(&w, &crds_shape_grant, grant, "/", err);
}
