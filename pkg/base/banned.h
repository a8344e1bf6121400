/* Functions that must not compile in this project. Force-included by the Makefile before every
 * file of ours. Each has a safer twin in pkg/base. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#define _GNU_SOURCE 1

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef assert
#define assert(x) use_base_assert
#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf strtok strtok_r
#pragma GCC poison atoi atol atoll strtol strtoll strtoul strtoull gmtime localtime ctime asctime
#pragma GCC poison srand strdup strndup asprintf vasprintf gets

/* Only pkg/base/alloc.c takes memory from libc: it undefines these. */
#define malloc(n)     use_base_alloc
#define calloc(n, s)  use_base_alloc
#define realloc(p, n) use_base_realloc
#define free(p)       use_base_free

#endif
