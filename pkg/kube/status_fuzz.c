/* Any bytes as the body of an answer: a class that is an error, a message of one line. */
#include "pkg/kube/status.h"

#include "pkg/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int codes[] = {200, 301, 404, 409, 422, 429, 500};
	struct err err = {0};

	if (size < 2)
		return 0;
	const struct str body = base_str_n(data + 2, size - 2);
	const enum kube_verb verb = (enum kube_verb)(data[0] % KUBE_VERB_COUNT);
	const int http = codes[data[1] % ARRAY_LEN(codes)];
	const int r = kube_status_error(verb, http, 0, body, &err);
	base_assert(r < 0 && err.class > ERR_OK && err.class < ERR_CLASS_COUNT);
	base_assert(r == -(int)err.class && err.retry_after <= 3600);
	(void)kube_status_is_failure(body);
	(void)kube_retry_after(body);
	return 0;
}
