#include "pkg/envelope/header_internal.h"

#include "pkg/envelope/cbor.h"

static const char *const attribute_names[ENVELOPE_ATTRIBUTE_COUNT] = {
#define NAME(name, text) [ENVELOPE_CE_##name] = text,
	ENVELOPE_ATTRIBUTES(NAME)
#undef NAME
};

const char *envelope_attribute_name(enum envelope_attribute a)
{
	return (unsigned)a < ENVELOPE_ATTRIBUTE_COUNT ? attribute_names[a] : NULL;
}

static bool label_ok(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
			return false;
	}
	return true;
}

/* Names reach logs and are compared with names of API objects: no other characters than those. */
bool envelope_name_ok(struct str name)
{
	const size_t slash = base_str_find(name, '/', 0);

	return slash < name.n && label_ok(base_str_sub(name, 0, slash), ENVELOPE_NS_MAX) &&
	       label_ok(base_str_sub(name, slash + 1, name.n), ENVELOPE_REVISION_MAX);
}

/* It becomes the value of an HTTP header field. */
static bool type_ok(struct str s)
{
	if (s.n == 0 || s.n > ENVELOPE_TYPE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static int fp_cmp(const struct envelope_recipient *a, const struct envelope_recipient *b)
{
	return memcmp(a->fp.b, b->fp.b, sizeof(a->fp.b));
}

static int check_recipients(const struct envelope_header *h, struct err *err)
{
	/* A response may be sealed under its request's key: pkg/envelope/response.h. */
	if (h->recipient_count == 0 && h->kind != ENVELOPE_RESPONSE)
		return REFUSE(err, SHAPE, "no recipients");
	if (h->recipient_count > ENVELOPE_RECIPIENTS_MAX)
		return REFUSE(err, SIZE, "too many recipients");
	for (size_t i = 0; i < h->recipient_count; i++) {
		const struct envelope_recipient *r = &h->recipients[i];
		if (r->alg == ENVELOPE_ALG_UMBRAL && !envelope_name_ok(r->name))
			return REFUSE(err, SHAPE, "a recipient's name is not namespace/revision");
		if (i > 0 && fp_cmp(r - 1, r) >= 0)
			return REFUSE(err, SHAPE, "recipients are not strictly ascending");
	}
	return 0;
}

/* Which optional fields a kind needs. */
static int check_kind(const struct envelope_header *h, struct err *err)
{
	if ((unsigned)h->kind >= ENVELOPE_KIND_COUNT)
		return REFUSE(err, SHAPE, "unknown kind");
	if ((unsigned)h->sender >= ENVELOPE_SENDER_COUNT)
		return REFUSE(err, SHAPE, "unknown sender level");
	const bool bound = h->kind == ENVELOPE_KFRAG || h->kind == ENVELOPE_SHARE;
	if (bound != h->has_context)
		return REFUSE(err, SHAPE, "context hash and kind do not fit");
	if (h->kind == ENVELOPE_RESPONSE && !h->has_parent)
		return REFUSE(err, SHAPE, "a response without its request's hash");
	return 0;
}

uint64_t envelope_length_max(const struct envelope_header *h)
{
	if (h->mode == ENVELOPE_STREAM)
		return ENVELOPE_STREAM_MAX;
	return ENVELOPE_WHOLE_MAX +
	       (h->sender == ENVELOPE_SENDER_NONE ? 0 : ENVELOPE_SENDER_EXTRA_MAX);
}

/* A length that no body can have is refused before anybody reserves or waits for it. */
static int check_length(const struct envelope_header *h, struct err *err)
{
	if (h->has_length && h->length > envelope_length_max(h))
		return REFUSE(err, SIZE, "the length that the header states");
	return 0;
}

int envelope_header_check(const struct envelope_header *h, struct err *err)
{
	TRY(check_length(h, err));
	if (!type_ok(h->type))
		return REFUSE(err, SHAPE, "the media type");
	TRY(check_kind(h, err));
	for (size_t i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		if (h->attributes[i].n > ENVELOPE_ATTRIBUTE_MAX)
			return REFUSE(err, SIZE, "an attribute");
		if (!envelope_text_ok(h->attributes[i]))
			return REFUSE(err, SHAPE, "an attribute is not text");
	}
	return check_recipients(h, err);
}

/* Insertion sort: there are at most sixteen, and mostly one. */
int envelope_recipients_sort(struct envelope_header *h, struct err *err)
{
	for (size_t i = 1; i < h->recipient_count; i++) {
		const struct envelope_recipient r = h->recipients[i];
		size_t to = i;
		while (to > 0 && fp_cmp(&h->recipients[to - 1], &r) > 0) {
			h->recipients[to] = h->recipients[to - 1];
			to--;
		}
		h->recipients[to] = r;
	}
	return check_recipients(h, err);
}

const struct envelope_recipient *envelope_recipient_find(
	const struct envelope_header *h, const struct pre_fingerprint *fp)
{
	for (size_t i = 0; i < h->recipient_count; i++) {
		const struct envelope_recipient *r = &h->recipients[i];
		if (r->alg == ENVELOPE_ALG_UMBRAL && memcmp(r->fp.b, fp->b, sizeof(fp->b)) == 0)
			return r;
	}
	return NULL;
}
