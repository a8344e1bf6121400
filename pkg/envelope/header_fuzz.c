/* Any bytes into the header's decoder. What it takes must be the one encoding of what it read. */
#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool all_known(const struct envelope_header *h)
{
	for (size_t i = 0; i < h->recipient_count; i++)
		if (h->recipients[i].alg != ENVELOPE_ALG_UMBRAL)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_(base_buf_done) struct buf again = base_buf(ENVELOPE_PROTECTED_MAX + 1);
	struct envelope_header h;
	struct err err = {0};

	if (envelope_header_decode(base_str_n(data, n), &h, &err) < 0) {
		base_assert(err.class != ERR_BUG && err.detail != ENVELOPE_REASON_MORE);
		return 0;
	}
	if (!all_known(&h))
		return 0;
	base_assert(envelope_header_encode(&h, &again, &err) == 0);
	base_assert(base_str_eq(base_buf_str(&again), base_str_n(data, n)));
	return 0;
}
