/* Edits of a real stream, in chunks that the input chooses. The first bytes say where segments are
 * cut, swapped or changed; whatever opens must be exactly what was sealed. */
#include "pkg/envelope/body.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define PLAIN ((size_t)ENVELOPE_SEGMENT + 5000)

struct sample {
	struct env env;
	struct envelope_context *ctx;
	struct envelope_message m;
	struct buf bytes;
	uint8_t plain[PLAIN];
	struct secret k;
};

static struct sample *sample(void)
{
	static struct sample s;
	struct envelope_sealer sealer = {0};
	struct envelope_header h = {.mode = ENVELOPE_STREAM,
		.type = STR("text/plain"),
		.recipient_count = 1,
		.recipients = {{.alg = ENVELOPE_ALG_UMBRAL, .name = STR("a/b")}}};

	if (s.ctx)
		return &s;
	s.env = base_env_system();
	for (size_t i = 0; i < PLAIN; i++)
		s.plain[i] = (uint8_t)(i % 253);
	s.bytes = base_buf(2 * PLAIN);
	base_assert(envelope_context_new(&s.env, &s.ctx, NULL) == 0);
	base_assert(envelope_sealer_begin(&sealer, s.ctx, &h, &s.k, &s.bytes, NULL) == 0);
	base_assert(envelope_sealer_add(&sealer, base_str_n(s.plain, PLAIN), &s.bytes, NULL) == 0);
	base_assert(envelope_sealer_end(&sealer, &s.bytes, NULL) == 0);
	envelope_sealer_done(&sealer);
	base_assert(envelope_parse(base_buf_str(&s.bytes), &s.m, NULL) == 0);
	return &s;
}

/* Feeds pieces of the sealed body: each three bytes of input are an offset (in units of 8 or exact
 * segments) and a length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sample *s = sample();
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(4 * PLAIN);
	const struct str body = base_str_sub(base_buf_str(&s->bytes), s->m.body_at, SIZE_MAX);
	size_t at = 0;
	int r = envelope_opener_begin(&o, s->ctx, &s->m, &s->k, NULL);

	for (size_t i = 0; i + 2 < n && i < 300 && r == 0; i += 3) {
		const size_t len =
			data[i + 1] == 255 ? body.n : (size_t)data[i + 1] * 300 + data[i];
		/* Mostly goes on where it was, so that whole streams come about. */
		if (data[i + 2] >= 250)
			at = (size_t)data[i] * 280;
		const struct str piece = base_str_sub(body, at, at + len);
		r = envelope_opener_add(&o, piece, &out, NULL);
		at = piece.n ? at + piece.n : at;
	}
	if (r == 0)
		r = envelope_opener_end(&o, &out, NULL);
	base_assert(out.len <= PLAIN);
	base_assert(out.len == 0 || memcmp(out.data, s->plain, out.len) == 0);
	base_assert((r == 0) == (out.len == PLAIN));
	return 0;
}
