/* What the annotations of a namespace ask for. Layer: controller, pure. */
#ifndef CONTROLLER_ACCESS_H
#define CONTROLLER_ACCESS_H

#include "controller/objects.h"
#include "pkg/base/buf.h"

#define CONTROLLER_SENDERS_MAX 64   /* namespaces that one annotation may name; "*" names all */
#define CONTROLLER_GROUPS_MAX  8192 /* bytes of what is made of them */

/* Appends the groups of functionkey.dev/senders, "ns1,ns2" or "*", with a space between two. What
 * is no namespace's name is left out: what a user mistypes must not bind anybody else. TOO_LARGE:
 * more than CONTROLLER_SENDERS_MAX names. */
int controller_access_groups(struct str senders, struct buf *b, struct err *err) must_check;

/* What is to be done with a RoleBinding that should give its role to groups ("group group …";
 * empty: there should be none). is: what there is, NULL for nothing. One without an owner would
 * outlive an uninstallation, so it is written anew. */
enum controller_access { CONTROLLER_ACCESS_FINE, CONTROLLER_ACCESS_BIND, CONTROLLER_ACCESS_UNBIND };
enum controller_access controller_access_step(const struct controller_owned *is, struct str groups);

#endif
