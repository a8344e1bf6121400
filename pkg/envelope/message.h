/* From received bytes to a header and the place where the body begins. Layer: envelope.
 * No cryptography: what this accepts is well-formed, not authentic.
 */
#ifndef ENVELOPE_MESSAGE_H
#define ENVELOPE_MESSAGE_H

#include "pkg/envelope/header.h"

#define ENVELOPE_TAG_LEN    16
#define ENVELOPE_COMMIT_LEN 32
#define ENVELOPE_HEAD_MAX   (ENVELOPE_PROTECTED_MAX + 64) /* bytes before a body */
#define ENVELOPE_MESSAGE_MAX \
	(ENVELOPE_HEAD_MAX + ENVELOPE_WHOLE_MAX + ENVELOPE_SENDER_EXTRA_MAX + ENVELOPE_TAG_LEN)

/* Borrows from the bytes that were parsed: they must live as long as it is used. */
struct envelope_message {
	struct envelope_header header;
	struct str protected; /* the protected bytes as received: what keys are bound to */
	uint8_t commit[ENVELOPE_COMMIT_LEN];
	size_t body_at;  /* offset of the first body byte */
	size_t body_len; /* ENVELOPE_WHOLE: bytes of the body with its tag; STREAM: 0, unknown */
};

/* Parses the head of a message: everything before the body. Works on a prefix: MORE (NOT_READY)
 * says that `bytes` is a correct beginning that is too short; with ENVELOPE_HEAD_MAX bytes in hand
 * that cannot happen. Lengths are checked against their limits before they are waited for.
 * CBOR, SHAPE, VERSION, SIZE, MORE. */
int envelope_parse(struct str bytes, struct envelope_message *ret, struct err *err) must_check;

/* Parses a message that is in hand as a whole: as envelope_parse, and TRUNCATED or TRAILING where
 * an ENVELOPE_WHOLE body does not end with `bytes`. *ret_body is the body with tags. */
int envelope_parse_whole(struct str bytes, struct envelope_message *ret, struct str *ret_body,
	struct err *err) must_check;

#endif
