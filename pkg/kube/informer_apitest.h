/* What the cases of kube-informer-apitest share. Layer: kube; not in the library. */
#ifndef KUBE_INFORMER_APITEST_H
#define KUBE_INFORMER_APITEST_H

#include "pkg/kube/informer_impl.h"

#define TAP_MAPS 40 /* ConfigMaps that are written */

struct tap_test {
	uv_loop_t loop;
	struct env env;
	struct kube_config *config;
	struct kube_client *writer, *reader;
	char ns[64];
	int wanted[TAP_MAPS]; /* what the writer made; 0: it is not there */
	int rounds;
	unsigned passed, failed;
	bool done;
	struct err err;
	uv_timer_t wake;
	int exit_status; /* of a child; -1: it runs */
};

/* An informer whose streams go through here. */
struct tap {
	struct tap_test *t;
	struct kube_informer *informer;
	uv_timer_t timer;
	struct env env; /* with a clock that can jump */
	int64_t jump_ns;
	struct kube_call *call;
	struct kube_stream_handler handler;
	void *handler_ctx;
	const char *from, *to; /* replaces this in the next query that has it */
	bool mute;             /* nothing comes through */
	bool told[TAP_MAPS];
	int told_round[TAP_MAPS];
	unsigned starts, replaced, wrong, synced;
	uint64_t troubles[ERR_CLASS_COUNT];
};

extern const struct kube_resource tap_config_maps;

/* Counts and prints one check. */
void tap_check(struct tap_test *t, const char *what, bool ok);

/* Runs the loop until the writer's call has ended. */
enum err_class tap_call(struct tap_test *t, const struct kube_request *request);

/* Creates, updates or (round 0) deletes a map. */
void tap_write(struct tap_test *t, int map, int round);
/* Some of everything: new, changed, deleted, made anew. */
void tap_churn(struct tap_test *t);

/* Replaces `from` by `to` in the first query that has it; NULL: in none. Freed with its informer.
 */
struct tap *tap_open(struct tap_test *t, const struct kube_resource *resource, bool no_watch_list,
	const char *from, const char *to);
/* Ends the stream as a broken connection would. */
void tap_cut(struct tap *p);
/* Lets the informer look at its clock now. */
void tap_wake(struct tap *p);
struct kube_watch_stats tap_stats(const struct tap *p);

/* Conditions: store and handlers have what the writer made, and more. */
bool tap_is_synced(const struct tap *p);
bool tap_is_watching(const struct tap *p);
bool tap_is_relisted(const struct tap *p);
bool tap_is_killed(const struct tap *p);
bool tap_is_absent(const struct tap *p);
/* Runs the loop until cond holds, 20 s at most. */
bool tap_wait(struct tap *p, bool (*cond)(const struct tap *p));

#endif
