/* A hash map from text to pointer, with a maximum. Layer: base.
 *
 * Keys are copied; values are the caller's. Open addressing with linear probing; SipHash is not
 * needed, since the number of entries is bounded and keys come from an authenticated API server,
 * but the hash is seeded per map all the same.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "pkg/base/cleanup.h"
#include "pkg/base/str.h"

struct map;

/* At most max entries. NOMEM. */
int base_map_new(size_t max, struct map **ret_map, struct err *err) must_check;

/* Frees keys and the map, not the values. NULL is fine. Returns NULL. */
struct map *base_map_free(struct map *m);
CLEANUP_FREE(struct map, base_map_free);

/* NULL if there is none. */
void *base_map_get(const struct map *m, struct str key);

/* Adds or replaces; *ret_old (may be NULL) is the former value. value must not be NULL.
 * TOO_LARGE when full, NOMEM. */
int base_map_put(struct map *m, struct str key, void *value, void **ret_old, struct err *err)
	must_check;

/* The removed value, or NULL. */
void *base_map_remove(struct map *m, struct str key);

/* Entries that it has. */
size_t base_map_len(const struct map *m);

/* Walks all entries in no order: start with *at = 0; false at the end. The entry just given may be
 * removed during the walk; nothing may be added. */
bool base_map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value);

#endif
