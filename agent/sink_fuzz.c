/* K_SINK and K_CE_OVERRIDES, as strangers write them. */
#include "agent/sink.h"

#include "pkg/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	const struct str text = base_str_n(data, size);
	struct agent_extensions x = {0};
	struct agent_sink sink;

	/* What is taken cannot end a line of a request. */
	if (agent_sink_parse(text, &sink, NULL) == 0) {
		base_assert(http_is_value(base_str(sink.host)) && sink.host[0]);
		base_assert(http_is_value(base_str(sink.target)) && sink.target[0] == '/');
		base_assert(base_str_find(base_str(sink.address), ':', 0) < strlen(sink.address));
		base_assert(base_str_find(base_str(sink.host), '@', 0) == strlen(sink.host));
	}
	base_assert(base_arena_new(1 << 20, &arena, NULL) == 0);
	if (agent_extensions_parse(text, arena, &x, NULL) == 0)
		for (size_t i = 0; i < x.n; i++)
			base_assert(
				http_is_name(x.v[i].name) && x.v[i].value.n <= AGENT_EXTENSION_MAX);
	return 0;
}
