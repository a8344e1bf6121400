#include "crds/functionkey.h"

#include <inttypes.h>
#include <stdio.h>

#define POD_KEPT      244 /* of a pod's name in its record's */
#define REVISION_HEAD 30
#define REVISION_TAIL 10
#define REVISION_UID  10

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Lower-case letters, digits, '-' and the others, beginning and ending with a letter or digit. */
static bool is_dns(struct str s, size_t max, char other)
{
	if (s.n == 0 || s.n > max || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != other)
			return false;
	return true;
}

static bool is_uid(struct str s)
{
	if (s.n != CRDS_UID_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		const bool hex =
			(s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
		if (dash ? s.p[i] != '-' : !hex)
			return false;
	}
	return true;
}

int crds_member_name(
	struct str pod, struct str pod_uid, char dst[static CRDS_NAME_MAX], struct err *err)
{
	const bool cut = pod.n > POD_KEPT;

	if (!is_dns(pod, 253, '.'))
		return FAIL(err, ERR_INVALID, "'%.*s' is not a pod's name", STR_FMT(pod));
	if (!is_uid(pod_uid))
		return FAIL(err, ERR_INVALID, "'%.*s' is not a UID", STR_FMT(pod_uid));
	(void)snprintf(dst, CRDS_NAME_MAX, "%.*s%s.%.8s", (int)(cut ? POD_KEPT - 1 : pod.n), pod.p,
		cut ? "x" : "", pod_uid.p);
	return 0;
}

static size_t add_dashed(char *dst, size_t at, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		dst[at + i] = s.p[i];
		if (s.p[i] == '.')
			dst[at + i] = '-';
	}
	return at + s.n;
}

int crds_revision_key(struct str name, struct str owner_uid, char dst[static CRDS_REVISION_MAX + 1],
	struct err *err)
{
	size_t at = 0;

	if (is_dns(name, CRDS_REVISION_MAX, '-'))
		return base_str_copy(name, dst, CRDS_REVISION_MAX + 1, "revision", err);
	if (!is_dns(name, 512, '.'))
		return FAIL(err, ERR_INVALID, "'%.*s' cannot name a revision", STR_FMT(name));
	if (!is_uid(owner_uid))
		return FAIL(err, ERR_INVALID, "'%.*s' is not a UID", STR_FMT(owner_uid));
	at = add_dashed(dst, at, base_str_sub(name, 0, REVISION_HEAD));
	dst[at++] = '-';
	for (size_t i = 0, hex = 0; hex < REVISION_UID; i++)
		if (owner_uid.p[i] != '-') {
			dst[at++] = owner_uid.p[i];
			hex++;
		}
	dst[at++] = '-';
	at = add_dashed(dst, at,
		base_str_sub(name, name.n > REVISION_TAIL ? name.n - REVISION_TAIL : 0, name.n));
	dst[at] = '\0';
	return 0;
}

int crds_function_key(struct str workload, char dst[static CRDS_FUNCTION_MAX + 1], struct err *err)
{
	if (!is_dns(workload, 512, '.'))
		return FAIL(err, ERR_INVALID, "'%.*s' cannot name a function", STR_FMT(workload));
	if (workload.n <= CRDS_FUNCTION_MAX)
		return base_str_copy(workload, dst, CRDS_FUNCTION_MAX + 1, "function", err);
	memcpy(dst, workload.p, CRDS_FUNCTION_MAX - 1);
	dst[CRDS_FUNCTION_MAX - 1] = 'x';
	dst[CRDS_FUNCTION_MAX] = '\0';
	return 0;
}

struct str crds_leadership(
	struct str ns, struct str revision, int64_t term, char dst[static CRDS_LEADERSHIP_MAX])
{
	(void)snprintf(dst, CRDS_LEADERSHIP_MAX, "%.*s/%.*s@%" PRId64,
		STR_FMT(base_str_sub(ns, 0, 64)), STR_FMT(base_str_sub(revision, 0, 64)), term);
	return base_str(dst);
}
