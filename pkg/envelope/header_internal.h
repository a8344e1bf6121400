/* Labels of the protected header, and what its encoder and decoder share. Layer:
 * envelope, and private to it. */
#ifndef ENVELOPE_HEADER_INTERNAL_H
#define ENVELOPE_HEADER_INTERNAL_H

#include "pkg/envelope/header.h"

/* COSE labels and values: registered ones, and ours from the range for private use. */
enum {
	COSE_ALG = 1,
	COSE_CRIT = 2,
	COSE_CONTENT_TYPE = 3,
	COSE_IV = 5,
	COSE_TYP = 16,
	COSE_FUNCTIONKEY = -70001,
	COSE_COMMIT = -70002,
	COSE_ALG_A256GCM = 3,
	COSE_ALG_STREAM = -70010,
	COSE_TAG_ENCRYPT0 = 16,
};

enum {
	HEADER_VERSION = 1,
	HEADER_ID,
	HEADER_RECIPIENTS,
	HEADER_IAT,
	HEADER_EXP,
	HEADER_ATTRIBUTES,
	HEADER_LENGTH,
	HEADER_KIND,
	HEADER_PARENT,
	HEADER_SENDER,
	HEADER_CONTEXT,
};

#define ENVELOPE_VERSION    1
#define ENVELOPE_TYP_WHOLE  "application/vnd.functionkey.v1+cbor"
#define ENVELOPE_TYP_STREAM "application/vnd.functionkey.v1.stream"

/* alg, fp, epoch, name, capsule, wrapped */
#define ENVELOPE_RECIPIENT_FIELDS 6

/* What is beyond types and sizes: characters, order, which field goes with which kind. */
int envelope_header_check(const struct envelope_header *h, struct err *err) must_check;

/* Bytes that the body may encrypt. */
uint64_t envelope_length_max(const struct envelope_header *h);

/* "<namespace>/<revision>", both as Kubernetes names them. */
bool envelope_name_ok(struct str name);

#endif
