/* Events (events.k8s.io/v1) for people: best effort, never in the way. Layer: kube.
 *
 * An event is written half a second after it was emitted, with the time at which it was: requests
 * of what it tells of go first, and do not wait for its connection.
 * The same event again (all but its note) becomes a series: a count, written at its second time,
 * then every 30 minutes if it grew, and at its end, after 6 minutes without another one. One object
 * may begin 25 series at once and then one in 5 minutes; the least recently used of too many series
 * goes. A write that met a broken connection or a busy server is tried again, 12 times, about 10 s
 * apart; a refused one never. kubernetes.md 1.12. Emit on transitions, not per reconcile.
 */
#ifndef KUBE_EVENT_H
#define KUBE_EVENT_H

#include "pkg/kube/client.h"

#define KUBE_EVENT_NOTE_MAX 1024 /* bytes; longer notes are cut between characters */

struct kube_events;

struct kube_events_options {
	const char *controller; /* reportingController: "functionkey.dev/agent" */
	struct str instance;    /* reportingInstance: the pod's name, at most 128 */
	size_t max;             /* series remembered, each 1 to 3 KiB; 0: 4096 */
	size_t max_in_flight;   /* writes at once; 0: 8 */
};

/* The client must outlive it; instance is copied. INVALID where the options are out of bounds,
 * NOMEM. */
int kube_events_new(struct kube_client *client, const struct kube_events_options *options,
	struct kube_events **ret_events, struct err *err) must_check;

/* Gives up what was not yet sent: also what was told less than half a second ago. NULL is fine.
 * Returns NULL. Memory goes when the loop has closed a handle: run it once more. */
struct kube_events *kube_events_free(struct kube_events *events);
CLEANUP_FREE(struct kube_events, kube_events_free);

enum kube_event_type { KUBE_EVENT_NORMAL, KUBE_EVENT_WARNING };

struct kube_event {
	const struct kube_resource *resource; /* of regarding */
	struct kube_ref regarding;
	const struct kube_resource *related_resource; /* NULL: none */
	struct kube_ref related;
	enum kube_event_type type;
	const char *reason; /* CamelCase, at most 128 */
	const char *action; /* CamelCase, at most 128 */
	struct str note;
};

/* Everything is copied. Never fails: what cannot be sent is counted. */
void kube_event_emit(struct kube_events *events, const struct kube_event *event);

struct kube_events_stats {
	uint64_t emitted;
	uint64_t repeated; /* counted in a series */
	uint64_t filtered; /* refused: its object begins too many */
	uint64_t dropped;  /* no memory, no room, or text that the API server would refuse */
	uint64_t written;
	uint64_t failed; /* given up: refused, or all tries used */
};
const struct kube_events_stats *kube_events_stats(const struct kube_events *events);

#endif
