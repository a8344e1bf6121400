/* Where announcements of keys go and what is added to them: readings of Knative's K_SINK, a URL,
 * and K_CE_OVERRIDES, a JSON text. Layer: agent, pure. Both come from the environment of whoever
 * deployed the function and are checked as strangers' text.
 */
#ifndef AGENT_SINK_H
#define AGENT_SINK_H

#include "pkg/base/arena.h"

#define AGENT_SINK_URL_MAX       2047
#define AGENT_SINK_HOST_MAX      255
#define AGENT_EXTENSIONS_MAX     8
#define AGENT_EXTENSION_NAME_MAX 20 /* as CloudEvents advises */
#define AGENT_EXTENSION_MAX      256

struct agent_sink {
	bool tls;
	char address[AGENT_SINK_HOST_MAX + 9]; /* "<host>:<port>" */
	char host[AGENT_SINK_HOST_MAX + 9];    /* the header Host: as it stood in the URL */
	char target[AGENT_SINK_URL_MAX + 2];   /* "/path?query" */
};

/* An http or https URL without user, password and fragment. INVALID, TOO_LARGE. */
int agent_sink_parse(struct str url, struct agent_sink *ret_sink, struct err *err) must_check;

/* Extension attributes of CloudEvents. */
struct agent_extensions {
	struct {
		struct str name, value;
	} v[AGENT_EXTENSIONS_MAX];
	size_t n;
};

/* The member "extensions" of {"extensions": {"name": "value"}}; an empty text has none. Texts are
 * slices of json or copies in the arena. INVALID: also names that are not of [a-z0-9], that are
 * attributes of each event, or that come twice; values that are no texts. TOO_LARGE, NOMEM. */
int agent_extensions_parse(struct str json, struct arena *arena,
	struct agent_extensions *ret_extensions, struct err *err) must_check;

#endif
