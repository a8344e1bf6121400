/* Shuts the process in. Layer: keeper; libseccomp.
 *
 * Two steps, because libraries read files and ask the system while they start: what cannot hurt
 * them comes first, before any secret exists; the filter of system calls comes when all is
 * fetched, still before the first secret.
 */
#ifndef KEEPER_SANDBOX_H
#define KEEPER_SANDBOX_H

#include "pkg/base/err.h"

/* Not dumpable (no ptrace, no /proc/…/mem, no core), no new privileges, killed when the parent
 * dies, SIGPIPE ignored, no file descriptor open but 0, 1, 2 and `keep`. TERMINAL. */
int keeper_sandbox_prepare(int keep, struct err *err) must_check;

/* Points 0, 1 and 2 at /dev/null and allows from here on only the system calls of sandbox.c's
 * table: reading and writing `fd`, waiting, memory that is not executable, randomness, time, the
 * end. Any other kills the process. *ret_sandboxed is false in a sanitizer build, which needs
 * others: there only the first part is done. TERMINAL. */
int keeper_sandbox_enter(int fd, bool *ret_sandboxed, struct err *err) must_check;

/* "enforced", or why not. */
const char *keeper_sandbox_mode(void);

#endif
