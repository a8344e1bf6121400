/* From an answer that says no to an error class. Layer: kube, pure.
 *
 * The Status body's reason decides, then the HTTP code; a body that is none (a proxy's page) is
 * reported as text. kubernetes.md 1.3.
 */
#ifndef KUBE_STATUS_H
#define KUBE_STATUS_H

#include "pkg/base/str.h"
#include "pkg/kube/request.h"

#define KUBE_STATUS_MAX (64u << 10) /* of a Status body that is read */

/* A JSON patch that does not fit the object (a failed "test", a path that is not there) is
 * CONFLICT, though it is a 422: the object changed; everything else that is refused with 422 is
 * INVALID. An apply that meets another manager's fields is INVALID, though it is a 409.
 *
 * Fills *err and returns -(class): class, message, detail = http (or the body's code where http is
 * 2xx), retry_after (header first, then the body). retry_after_header: seconds, 0: none. */
int kube_status_error(enum kube_verb verb, int http, uint32_t retry_after_header, struct str body,
	struct err *err);

/* True where the body is a metav1.Status that says Failure, whatever the HTTP code. */
bool kube_status_is_failure(struct str body);

/* The seconds of a Retry-After header; 0 for an HTTP-date, nonsense or none. At most 3600. */
uint32_t kube_retry_after(struct str value);

/* Class of an error event inside a watch: the "object" of {"type":"ERROR"}. */
int kube_status_watch_error(struct str status, struct err *err);

#endif
