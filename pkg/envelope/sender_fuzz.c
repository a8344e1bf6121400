/* Any bytes as a sender's certificate: what is taken is written back to the same bytes, with every
 * text within its bounds. */
#include "pkg/envelope/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct env env;
	static struct pre_context *pre;
	_cleanup_(base_buf_done) struct buf again = base_buf(ENVELOPE_CERT_MAX);
	struct envelope_sender_cert c;
	struct err err = {0};

	if (!pre) {
		env = base_env_system();
		base_assert(pre_context_new(&env, &pre, NULL) == 0);
	}
	if (envelope_sender_cert_parse(base_str_n(data, n), &c, &err) < 0) {
		base_assert(err.class != ERR_BUG && err.class != ERR_TERMINAL);
		return 0;
	}
	base_assert(envelope_sender_cert_encode(&c, &again, NULL) == 0);
	base_assert(base_str_eq(base_buf_str(&again), base_str_n(data, n)));
	base_assert(c.cluster.n > 0 && c.cluster.n <= 63 && c.ns.n > 0 && c.ns.n <= 63);
	base_assert(c.function.n > 0 && c.function.n <= 63);
	base_assert(c.revision.n > 0 && c.revision.n <= ENVELOPE_CERT_TEXT_MAX);
	base_assert(c.pod.n > 0 && c.pod.n <= ENVELOPE_CERT_TEXT_MAX);
	base_assert(c.nbf >= 0 && c.nbf <= c.exp && c.epoch >= 0 && c.term >= 0);
	const int r = envelope_sender_cert_verify(pre, &c, NULL, c.nbf, &err);
	base_assert(r == 0 || err.class == ERR_TAMPERED);
	return 0;
}
