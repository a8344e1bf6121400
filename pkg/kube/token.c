#include "pkg/kube/token.h"

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct kube_token {
	char *path;    /* NULL: fixed only */
	char *current; /* NULL: none yet */
	size_t len;
	int64_t read_boot_ns;
	bool fresh; /* false: the next get reads the file */
};

static void forget(struct kube_token *t)
{
	if (t->current)
		base_wipe(t->current, t->len);
	t->current = base_free(t->current);
	t->len = 0;
}

/* A token stands in a header: what could end the line must not pass. */
static int keep(struct kube_token *t, struct str s, struct err *err)
{
	s = base_str_trim(s);
	if (!s.n)
		return FAIL(err, ERR_INVALID, "the token is empty");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return FAIL(
				err, ERR_INVALID, "the token holds byte %zu that no token has", i);
	char *copy = base_strndup(s.p, s.n);
	if (!copy)
		return FAIL(err, ERR_NOMEM, "token");
	forget(t);
	t->current = copy;
	t->len = s.n;
	return 0;
}

int kube_token_new(
	const char *path, struct str fixed, struct kube_token **ret_token, struct err *err)
{
	_cleanup_(kube_token_free) struct kube_token *t = base_alloc(1, sizeof(*t));

	if (!t)
		return FAIL(err, ERR_NOMEM, "token");
	if (!path && !fixed.n)
		return FAIL(err, ERR_INVALID, "neither a token nor a file of one");
	if (path && !(t->path = base_strndup(path, strlen(path))))
		return FAIL(err, ERR_NOMEM, "token");
	if (fixed.n)
		TRY(keep(t, fixed, err));
	*ret_token = STEAL(t);
	return 0;
}

struct kube_token *kube_token_free(struct kube_token *token)
{
	if (token) {
		forget(token);
		base_free(token->path);
		base_free(token);
	}
	return NULL;
}

static int read_file(struct kube_token *t, struct err *err)
{
	char bytes[KUBE_TOKEN_MAX + 1];
	size_t n = 0;
	int r = 0;

	/* By path each time: kubelet swaps a symbolic link. */
	const int fd = open(t->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return FAIL(err, ERR_DENIED, "%s: %m", t->path);
	while (n < sizeof(bytes)) {
		const ssize_t got = read(fd, bytes + n, sizeof(bytes) - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got < 0)
				r = FAIL(err, ERR_DENIED, "%s: %m", t->path);
			break;
		}
		n += (size_t)got;
	}
	close(fd);
	if (r == 0 && n > KUBE_TOKEN_MAX)
		r = FAIL(err, ERR_INVALID, "%s: more than %u bytes", t->path, KUBE_TOKEN_MAX);
	if (r == 0)
		r = keep(t, base_str_n(bytes, n), err);
	base_wipe(bytes, sizeof(bytes));
	return r;
}

int kube_token_get(
	struct kube_token *token, int64_t boot_ns, struct str *ret_token, struct err *err)
{
	const bool due = !token->fresh || boot_ns - token->read_boot_ns >= KUBE_TOKEN_LIFE_NS;

	if (token->path && due) {
		struct err why = {0};
		if (read_file(token, &why) == 0) {
			token->fresh = true;
			token->read_boot_ns = boot_ns;
		} else if (!token->current) {
			return FAIL(err, why.class == ERR_NOMEM ? ERR_NOMEM : ERR_DENIED,
				"no token: %s", why.msg);
		}
	}
	*ret_token = base_str_n(token->current, token->len);
	return 0;
}

bool kube_token_refused(struct kube_token *token, int64_t started_boot_ns)
{
	if (!token->path)
		return false;
	if (token->fresh && token->read_boot_ns <= started_boot_ns)
		token->fresh = false;
	return true;
}
