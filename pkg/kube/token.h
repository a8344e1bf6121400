/* The bearer token: fixed, or read again from its file as kubelet rotates it. Layer: kube.
 *
 * Read at most every 50 s; after a 401 before the next request. When the file cannot be read or is
 * empty, the last good token stays. Never in a message of ours. kubernetes.md 1.1.3.
 */
#ifndef KUBE_TOKEN_H
#define KUBE_TOKEN_H

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"
#include "pkg/base/str.h"

#define KUBE_TOKEN_MAX     (64u << 10)
#define KUBE_TOKEN_LIFE_NS (50 * NS_PER_S)

struct kube_token;

/* path: the file, or NULL; fixed: used while the file gives none, or empty. INVALID without both.
 * Reads nothing. */
int kube_token_new(const char *path, struct str fixed, struct kube_token **ret_token,
	struct err *err) must_check;

/* Wipes. NULL is fine. Returns NULL. */
struct kube_token *kube_token_free(struct kube_token *token);
CLEANUP_FREE(struct kube_token, kube_token_free);

/* The token to use now, borrowed until the next call on the same kube_token. DENIED if there never
 * was one. */
int kube_token_get(struct kube_token *token, int64_t boot_ns, struct str *ret_token,
	struct err *err) must_check;

/* A request that was started at started_boot_ns was refused with 401: forget the token if it was
 * read before that. True if the next get reads the file again. */
bool kube_token_refused(struct kube_token *token, int64_t started_boot_ns);

#endif
