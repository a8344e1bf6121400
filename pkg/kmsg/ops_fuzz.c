#include "pkg/kmsg/ops.h"

/* Whatever is taken as a message has one encoding: the bytes that it came from. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kmsg_request request;
	static struct kmsg_reply reply;
	uint8_t again[KMSG_PACKET_MAX];
	struct err err = {0};
	size_t n = 0;

	if (kmsg_request_decode(data, size, &request, &err) == 0) {
		base_assert(kmsg_request_encode(&request, again, &n, &err) == 0);
		base_assert(n == size && memcmp(again, data, n) == 0);
	}
	if (kmsg_reply_decode(data, size, &reply, &err) == 0) {
		base_assert(kmsg_reply_encode(&reply, again, &n, &err) == 0);
		base_assert(n == size && memcmp(again, data, n) == 0);
	}
	return 0;
}
