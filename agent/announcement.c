#include "agent/announcement.h"

#include "pkg/kube/patch.h"

#include <stdio.h>

void agent_announcement_done(struct agent_announcement *a)
{
	base_buf_done(&a->data);
}

static int write_hex(
	struct kube_writer *w, const char *name, const uint8_t *p, size_t n, struct err *err)
{
	char hex[2 * sizeof(struct crds_point) + 1];

	base_assert(n <= sizeof(struct crds_point));
	base_hex(p, n, hex);
	return kube_write_key_text(w, name, base_str(hex), err);
}

static int write_data(const struct crds_functionkey *record, const struct crds_key *key,
	struct buf *out, struct err *err)
{
	struct kube_writer w = kube_writer(out);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "namespace", record->ns, err));
	TRY(kube_write_key_text(&w, "function", record->function, err));
	TRY(kube_write_key_text(&w, "revision", record->revision, err));
	TRY(kube_write_key_text(&w, "scheme", record->scheme, err));
	TRY(kube_write_key_int(&w, "epoch", key->epoch, err));
	TRY(write_hex(&w, "fingerprint", key->fingerprint.b, sizeof(key->fingerprint.b), err));
	TRY(write_hex(&w, "publicKey", key->key.b, sizeof(key->key.b), err));
	TRY(write_hex(&w, "continuityKey", key->continuity.b, sizeof(key->continuity.b), err));
	if (key->has_link)
		TRY(kube_write_key_int(&w, "previousEpoch", key->previous, err));
	return kube_write_end(&w, err);
}

int agent_announcement_make(const struct crds_functionkey *record, const struct crds_key *key,
	int64_t wall_ns, struct agent_announcement *ret_a, struct err *err)
{
	_cleanup_(agent_announcement_done) struct agent_announcement a = {
		.data = base_buf(AGENT_ANNOUNCEMENT_MAX)};

	TRY(base_str_copy(record->function, a.subject, sizeof(a.subject), "function", err));
	const int id = snprintf(
		a.id, sizeof(a.id), "%.*s-%lld", STR_FMT(record->uid), (long long)key->epoch);
	const int source = snprintf(a.source, sizeof(a.source),
		"/apis/" CRDS_GROUP "/" CRDS_VERSION "/namespaces/%.*s/functionkeys/%.*s",
		STR_FMT(record->ns), STR_FMT(record->name));
	if (id < 0 || (size_t)id >= sizeof(a.id) || source < 0 ||
		(size_t)source >= sizeof(a.source))
		return FAIL(err, ERR_TOO_LARGE, "names of the record");
	base_time_format(key->activated_ns ? key->activated_ns : wall_ns, a.time);
	TRY(write_data(record, key, &a.data, err));
	agent_announcement_done(ret_a);
	*ret_a = a;
	a.data = base_buf(0);
	return 0;
}
