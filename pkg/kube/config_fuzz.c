/* Any bytes as a kubeconfig: an error or a configuration, and nothing left behind. */
#include "pkg/base/alloc.h"
#include "pkg/kube/config_impl.h"
#include "pkg/kube/exec.h"
#include "pkg/kube/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_file *file = NULL;
	struct kube_config config = {.ca = base_buf(KUBE_CREDENTIAL_MAX)};

	if (kube_file_parse("fuzz", base_str_n(data, size), &file, NULL) == 0 &&
		base_arena_new(1u << 20, &config.arena, NULL) == 0) {
		struct kube_file *const files[] = {file};
		const struct kube_choice choice = {
			.context = size % 2 ? "x" : NULL, .exec = KUBE_EXEC_STDIN};
		/* An own context: the input need not name one. */
		if (kube_files_resolve(files, 1, &choice, &config, NULL) == 0)
			base_assert(config.server.n && config.ns.n);
	}
	kube_exec_free(config.exec);
	kube_token_free(config.token);
	base_buf_done(&config.ca);
	base_arena_free(config.arena);
	kube_file_free(file);
	base_assert(base_alloc_live() == 0);
	return 0;
}
