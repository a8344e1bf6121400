/* The keeper: all secret keys of one replica, and the operations on them.
 *
 * Layer: keeper (base, kmsg, pre, envelope). No I/O and no clock of its own: time and randomness
 * come from env, so that tests and a simulated world drive it. One thread.
 *
 * Invariants: no long-lived secret leaves it (a content key of one message or window does, see
 * OPEN); it signs only statements that it builds itself; it makes kfrags only for keys whose proof
 * of possession it verified itself and only for its own namespace and revision; it holds at most
 * one key per epoch; terms only grow. At threshold 1 a kfrag gives its receiver the power of the
 * key (ADR 0001), so a leader's network half, which asks for grants, is trusted as far as that.
 */
#ifndef KEEPER_CORE_H
#define KEEPER_CORE_H

#include "pkg/base/env.h"
#include "pkg/kmsg/ops.h"

struct keeper;

/* A keeper without keys: INIT makes them. env is borrowed and must outlive it. Everything that
 * later operations need of the system is fetched here, by doing each kind of cryptography once:
 * afterwards a sandbox may close. The caller owns *ret. NOMEM, TERMINAL. */
int keeper_new(const struct env *env, struct keeper **ret_keeper, struct err *err) must_check;

/* Wipes all secrets. NULL is fine. Returns NULL. */
struct keeper *keeper_free(struct keeper *k);
CLEANUP_FREE(struct keeper, keeper_free);

/* What STATS tells about the process around. */
void keeper_set_sandboxed(struct keeper *k, bool sandboxed);

/* Does one request. Always fills *ret: what fails is in its status and message. A reply of OPEN
 * holds a secret: wipe it. The failures, beside those that the messages' header names: NOT_READY
 * before INIT; EXISTS for an INIT that names another replica; NO_KEY for an epoch or fingerprint
 * that is not held; CONFLICT for a term that is not the one that it leads in; TAMPERED for what
 * does not verify; TOO_LARGE when KMSG_EPOCHS_MAX epochs are held; TERMINAL without randomness. */
void keeper_handle(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret);

#endif
