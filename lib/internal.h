/* What the files of libfunctionkey share. Layer: lib. Nothing of this is exported: the library is
 * compiled with hidden visibility, and only functionkey.h says otherwise. */
#ifndef LIB_INTERNAL_H
#define LIB_INTERNAL_H

#include "lib/functionkey.h"
#include "pkg/base/alloc.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"
#include "pkg/protocol/chain.h"

/* One status as far as functionkey.h knows it, from a class of ours; and the message. r is 0 or
 * negative; returns 0 or an enum functionkey_status. */
int functionkey_result(int r, const struct err *why, struct functionkey_error *err);

/* What sealing and opening need: clock, randomness, the curve, ciphers. */
struct functionkey_tools {
	struct env env;
	struct pre_context *pre;
	struct envelope_context *envelope;
};

/* *t must stay where it is: the contexts borrow its env. NOMEM, TERMINAL. */
int functionkey_tools_begin(struct functionkey_tools *t, struct err *err) must_check;

/* Frees what is there. Repeatable, fine on a zeroed struct. */
void functionkey_tools_done(struct functionkey_tools *t);

#define FUNCTIONKEY_PINS 64 /* revisions that a sender remembers; the oldest makes room */

struct functionkey_pin {
	char record[CRDS_NAME_MAX];
	struct protocol_pin pin;
};

struct functionkey_target {
	char name[ENVELOPE_NAME_MAX + 1];
	struct pre_public_key key;
	uint64_t epoch;
};

struct functionkey_sender {
	struct functionkey_tools tools;
	char ns[ENVELOPE_NS_MAX + 1];
	char function[CRDS_FUNCTION_MAX + 1];
	size_t n;
	struct functionkey_target targets[ENVELOPE_RECIPIENTS_MAX];
	size_t next_pin; /* where the next new one goes */
	struct functionkey_pin pins[FUNCTIONKEY_PINS];
};

#endif
