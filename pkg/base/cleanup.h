/* Cleanup attributes and hand-over of ownership. Layer: base.
 *
 *	_cleanup_(buf_done) struct buf b = base_buf(4096);
 *	_cleanup_(foo_free) struct foo *f = NULL;
 *	...
 *	*ret_foo = STEAL(f);
 *
 * CLEANUP_FREE(type, fn) makes fn usable in _cleanup_ for `type *` owners; CLEANUP_DONE(type, fn)
 * for values whose fn takes their address.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

#define _cleanup_(fn) __attribute__((cleanup(fn##_cleanup_p)))

#define CLEANUP_FREE(type, fn)                      \
	static inline void fn##_cleanup_p(type **p) \
	{                                           \
		if (*p)                             \
			(void)fn(*p);               \
	}                                           \
	struct fn##_needs_semicolon

#define CLEANUP_DONE(type, fn)                     \
	static inline void fn##_cleanup_p(type *p) \
	{                                          \
		fn(p);                             \
	}                                          \
	struct fn##_needs_semicolon

/* The value of an owner, which is left NULL: hands ownership over. */
#define STEAL(p)                                    \
	__extension__({                             \
		__typeof__(p) *steal_p_ = &(p);     \
		__typeof__(p) steal_v_ = *steal_p_; \
		*steal_p_ = NULL;                   \
		steal_v_;                           \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of `type` whose member `member` ptr points at. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
