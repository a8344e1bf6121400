/* What the parts of kube-apitest share. Layer: kube; not in the library. */
#ifndef KUBE_APITEST_H
#define KUBE_APITEST_H

#include "pkg/kube/client.h"

struct apitest {
	uv_loop_t loop;
	struct env env;
	struct kube_config *config;
	struct kube_client *client;
	struct str ns;
	unsigned passed, failed;
	bool done;
	int status;
	struct err err;
	struct buf body;
};

/* Counts and prints one check; detail only where it failed. */
void apitest_check(struct apitest *t, const char *what, bool ok, const char *detail);

/* Runs the loop until the call ended: t->err, t->status, t->body. */
void apitest_call(struct apitest *t, const struct kube_request *request);

/* The same, and checks the class that it ends with. */
bool apitest_expect(struct apitest *t, const char *what, const struct kube_request *request,
	enum err_class class);

/* The text of the first "key" in the body; empty if there is none. */
struct str apitest_field(const struct apitest *t, const char *key);

/* Elections of two candidates in this process. */
void apitest_leases(struct apitest *t);

/* The event recorder. */
void apitest_events(struct apitest *t);

#endif
