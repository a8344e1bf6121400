/* Errors: one struct on the caller's stack, one class that is the retry decision.
 *
 * Layer: base (libc only). Reporting an error never allocates and never fails.
 *
 * A function that can fail returns 0, or -(int)class; its last argument is `struct err *err`
 * (may be NULL). On success err is not touched; on failure no `ret_` argument is touched.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define must_check             __attribute__((warn_unused_result))
#define base_printf_like(a, b) __attribute__((format(printf, a, b)))

/* What a caller does next. The names are part of logs and metrics: never renumber, only append. */
#define ERR_CLASSES(X)                                                                            \
	X(TRANSIENT, "transient") /* try again with back-off */                                   \
	X(CONFLICT, "conflict")   /* re-read, then try again at once */                           \
	X(EXPIRED, "expired")     /* the resourceVersion is too old: list again */                \
	X(NOT_FOUND, "not-found") /* the thing is not there */                                    \
	X(EXISTS, "exists")       /* the thing is there already */                                \
	X(DENIED, "denied")       /* credentials or policy say no: re-read them, long back-off */ \
	X(INVALID, "invalid")     /* the input is wrong: say so, do not retry */                  \
	X(TAMPERED, "tampered")   /* a cryptographic check failed: do not retry */                \
	X(NO_KEY, "no-key")       /* the key that is needed is not held here */                   \
	X(TOO_LARGE, "too-large") /* a stated maximum was exceeded */                             \
	X(NOT_READY, "not-ready") /* not yet; a later try can succeed */                          \
	X(CANCELLED, "cancelled") /* somebody asked to stop */                                    \
	X(TERMINAL, "terminal")   /* will not get better by itself */                             \
	X(NOMEM, "nomem")         /* an allocation failed */                                      \
	X(BUG, "bug")             /* an invariant of ours is broken */

enum err_class {
	ERR_OK = 0,
#define ERR_ENUM(name, text) ERR_##name,
	ERR_CLASSES(ERR_ENUM)
#undef ERR_ENUM
		ERR_CLASS_COUNT
};

#define ERR_MSG_MAX 240

struct err {
	enum err_class class;
	int detail;           /* HTTP status, errno or library code; 0 if there is none */
	uint32_t retry_after; /* seconds the peer asked to wait; 0 if it did not */
	unsigned line;
	const char *file;
	char msg[ERR_MSG_MAX];
};

/* Fills *err (if not NULL) and returns -(int)class. Use FAIL. */
base_printf_like(5, 6) int base_err_set(struct err *err, enum err_class class, const char *file,
	unsigned line, const char *fmt, ...);

/* Puts "context: " before the message, at the border of a layer. Class and detail stay. */
base_printf_like(2, 3) void base_err_wrap(struct err *err, const char *fmt, ...);

/* "transient", "conflict", …; "ok" for ERR_OK, "unknown" for what is none. Never NULL. */
const char *base_err_class_name(enum err_class class);

#ifdef __clang_analyzer__ /* it looks at one file at a time: this is below 0 for each class */
#define FAIL(err, class, ...) \
	((void)base_err_set((err), (class), __FILE__, __LINE__, __VA_ARGS__), -1)
#else
#define FAIL(err, class, ...) base_err_set((err), (class), __FILE__, __LINE__, __VA_ARGS__)
#endif

/* Returns from the calling function with expr's class if expr failed. */
#define TRY(expr)                          \
	do {                               \
		const int try_r_ = (expr); \
		if (try_r_ < 0)            \
			return try_r_;     \
	} while (0)

/* A broken invariant of ours: prints where and aborts. Stays on in release builds. */
#define base_assert(cond)                                              \
	do {                                                           \
		if (!(cond))                                           \
			base_assert_failed(#cond, __FILE__, __LINE__); \
	} while (0)
_Noreturn void base_assert_failed(const char *what, const char *file, unsigned line);

#endif
