/* One heap block of just what is kept of an object: for caches of thousands of them.
 * Layer: base.
 */
#ifndef CRDS_CONDENSE_H
#define CRDS_CONDENSE_H

#include "pkg/base/cleanup.h"
#include "pkg/base/str.h"

/* Copies the struct of `size` bytes at `from` and the texts of its members (struct str at the n
 * `offsets`) into one block. Other pointers in the struct are copied as they are. The caller frees
 * *ret_object with base_free. NOMEM. */
int crds_condense(const void *from, size_t size, const size_t *offsets, size_t n, void **ret_object,
	struct err *err) must_check;

#endif
