/* What every unit test needs: cmocka, rows with names, the torture loop. Tests only. */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/env.h"
#include "pkg/base/text.h"

/* Fails the test with the row's name, the expression and its error. */
#define assert_ok(row, expr)                                                                  \
	do {                                                                                  \
		struct err assert_err_ = {0};                                                 \
		struct err *err = &assert_err_;                                               \
		const int assert_r_ = (expr);                                                 \
		(void)err;                                                                    \
		if (assert_r_ < 0)                                                            \
			fail_msg("%s: %s: %s: %s (%s:%u)", (row), #expr,                      \
				base_err_class_name(assert_err_.class), assert_err_.msg,      \
				assert_err_.file ? assert_err_.file : "?", assert_err_.line); \
	} while (0)

/* expr must fail with exactly this class and fill err. */
#define assert_class(row, want, expr)                                              \
	do {                                                                       \
		struct err assert_err_ = {0};                                      \
		struct err *err = &assert_err_;                                    \
		const int assert_r_ = (expr);                                      \
		(void)err;                                                         \
		if (assert_r_ != -(int)(want) || assert_err_.class != (want))      \
			fail_msg("%s: %s: wanted %s, got %s: %s", (row), #expr,    \
				base_err_class_name(want),                         \
				base_err_class_name((enum err_class) - assert_r_), \
				assert_err_.msg);                                  \
	} while (0)

/* One case for the torture loop: does its work with memory of its own and gives all back.
 * Returns 0 or an error class, as all of ours. It must not touch outputs on failure; cases check
 * that themselves. */
typedef int (*torture_case)(void *ctx, struct err *err);

/* What a failed allocation may come back as: NOMEM where all of the memory is ours. Libraries do
 * not say why they failed; then anything but TAMPERED, which would blame the input, and BUG. */
enum torture_classes { TORTURE_NOMEM, TORTURE_LIBRARY };

static inline bool torture_class_fits(int r, enum torture_classes classes)
{
	if (classes == TORTURE_NOMEM)
		return r == 0 || r == -(int)ERR_NOMEM;
	return r <= 0 && r != -(int)ERR_TAMPERED && r != -(int)ERR_BUG;
}

/* As torture_run, with the classes that may come back. */
static inline uint64_t torture_run_as(
	const char *name, torture_case run, void *ctx, uint64_t step, enum torture_classes classes)
{
	for (uint64_t n = 1, failed = 0;; n += step, failed++) {
		struct err err = {0};
		const size_t live = base_alloc_live();
		base_alloc_fail_at(n);
		const int r = run(ctx, &err);
		const bool reached = base_alloc_failed();
		base_alloc_fail_at(0);
		if (base_alloc_live() != live)
			fail_msg("%s: allocation %llu failed: %zd left", name,
				(unsigned long long)n, (ssize_t)(base_alloc_live() - live));
		if (!reached) {
			if (r != 0)
				fail_msg("%s: fails without cause: %s", name, err.msg);
			return failed;
		}
		if (!torture_class_fits(r, classes))
			fail_msg("%s: allocation %llu failed: class %s: %s", name,
				(unsigned long long)n, base_err_class_name((enum err_class) - r),
				err.msg);
	}
}

/* Fails each allocation of the case in turn (from `step` on every step-th one) until the case runs
 * through; each failure must come back as NOMEM and leave nothing allocated. A case may also
 * survive a failed allocation. Returns how many allocations were failed. */
static inline uint64_t torture_run(const char *name, torture_case run, void *ctx, uint64_t step)
{
	return torture_run_as(name, run, ctx, step, TORTURE_NOMEM);
}

#endif
