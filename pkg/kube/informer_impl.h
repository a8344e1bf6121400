/* The informer without libuv and libcurl: what it needs of the outside is a table, which tests and
 * a simulated world fill. Layer: kube. */
#ifndef KUBE_INFORMER_IMPL_H
#define KUBE_INFORMER_IMPL_H

#include "pkg/kube/informer.h"

struct kube_informer_io {
	/* As kube_stream_start and kube_cancel. Callbacks never come from inside start. */
	int (*start)(void *ctx, const struct kube_request *request,
		const struct kube_stream_handler *handler, void *handler_ctx,
		struct kube_call **ret_call, struct err *err);
	void (*cancel)(void *ctx, struct kube_call *call);
	/* Calls kube_informer_tick from the loop at that time, instead of at an earlier asked one.
	 */
	void (*arm)(void *ctx, int64_t at_boot_ns);
	/* The informer is gone; no tick may follow. */
	void (*close)(void *ctx);
	const struct env *env;
	void *ctx;
};

/* Copies io. On failure io.ctx is not closed. */
int kube_informer_new_on(const struct kube_informer_io *io, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err) must_check;

/* Does what the clock has made due, as the timer would. */
void kube_informer_tick(struct kube_informer *i);

#endif
