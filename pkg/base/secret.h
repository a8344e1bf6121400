/* Secret bytes: a type of their own, wiped, locked where they live long, and unprintable.
 *
 * Layer: base; libcrypto for wiping and comparing in constant time. There is no formatter, no
 * encoder and no log field for struct secret: a log of a secret does not compile.
 *
 * Short-lived copies stand on the stack as `_cleanup_(base_secret_wipe) struct secret s`.
 * Long-lived ones stand in memory from base_locked_new.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "pkg/base/buf.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/err.h"

#define SECRET_LEN 32

/* One 32-byte secret: a scalar, a symmetric key, a seed. Copyable; every copy must be wiped. */
struct secret {
	uint8_t b[SECRET_LEN];
};

/* Overwrites it in a way that the compiler may not drop. */
void base_secret_wipe(struct secret *s);
CLEANUP_DONE(struct secret, base_secret_wipe);

/* Wipes n bytes in a way that the compiler may not drop. NULL is fine if n is 0. */
void base_wipe(void *p, size_t n);

/* As base_buf_done, for bytes that nobody else shall find: wipes all that the buffer had room for.
 * What it left behind when it grew is not wiped: reserve first where that matters. */
void base_buf_wipe(struct buf *b);
CLEANUP_DONE(struct buf, base_buf_wipe);

/* Constant time in the contents. */
bool base_ct_equal(const void *a, const void *b, size_t n);

/* Memory for long-lived secrets: own pages between guard pages, zeroed, MADV_DONTDUMP and
 * MADV_WIPEONFORK, and locked if the kernel lets us. */
struct locked {
	void *p;
	size_t n;    /* usable bytes */
	bool locked; /* false: mlock was refused (RLIMIT_MEMLOCK); say so in a metric, go on */
};

/* NOMEM if there are no pages. A refused mlock is no error. */
int base_locked_new(size_t n, struct locked *ret_locked, struct err *err) must_check;

/* Wipes and unmaps; the struct is then zero. Repeatable. */
void base_locked_done(struct locked *l);
CLEANUP_DONE(struct locked, base_locked_done);

#endif
