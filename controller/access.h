/* What the annotations of a namespace ask for. Layer: controller. */
#ifndef CONTROLLER_ACCESS_H
#define CONTROLLER_ACCESS_H

#include "pkg/base/buf.h"

#define CONTROLLER_SENDERS_MAX 64   /* namespaces that one annotation may name; "*" names all */
#define CONTROLLER_GROUPS_MAX  8192 /* bytes of what is made of them */

/* Appends the groups of functionkey.dev/senders, "ns1,ns2" or "*", with a space between two. What
 * is no namespace's name is left out: what a user mistypes must not bind anybody else. TOO_LARGE:
 * more than CONTROLLER_SENDERS_MAX names. */
int controller_access_groups(struct str senders, struct buf *b, struct err *err) must_check;

#endif
