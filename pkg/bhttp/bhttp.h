/* Binary HTTP messages (RFC 9292): requests and responses as bytes without a connection. Layer:
 * bhttp (base), pure.
 *
 * Both framings: known-length where the content's length is known when the head is written,
 * indeterminate-length where it is not. The decoder takes bytes in pieces of any size, gives
 * content on as it comes, and keeps no more than a head and a trailer section of bounded size.
 *
 * What either side refuses, so that no message can mean one thing here and another to the HTTP/1.1
 * peer behind it: names that are no lower-case tokens, CR, LF, NUL and other controls in values,
 * white space around values, fields of a connection (Connection, Transfer-Encoding, Upgrade, …), a
 * Content-Length that is not the content's (an answer to HEAD has no content, and may have the
 * Content-Length that GET would be answered with), targets that are no plain path, methods CONNECT
 * and TRACE, and `functionkey-*` fields, which only an agent may add, behind the decoder.
 */
#ifndef BHTTP_BHTTP_H
#define BHTTP_BHTTP_H

#include "pkg/base/buf.h"
#include "pkg/base/cleanup.h"

#define BHTTP_FIELDS_MAX   64    /* of a head, and of a trailer section */
#define BHTTP_HEAD_MAX     32768 /* bytes of control data and header, informational ones included */
#define BHTTP_TRAILERS_MAX 8192  /* bytes of a trailer section */
#define BHTTP_METHOD_MAX   32
#define BHTTP_TARGET_MAX   4096
#define BHTTP_CONTENT_MAX  (1ull << 40)

struct bhttp_field {
	struct str name, value;
};

struct bhttp_fields {
	size_t n;
	struct bhttp_field v[BHTTP_FIELDS_MAX];
};

struct bhttp_head {
	bool response;
	bool to_head;                               /* responses: they answer HEAD, see below */
	bool has_length;                            /* known-length framing */
	unsigned status;                            /* responses: 200 to 599 */
	uint64_t length;                            /* bytes of content; meaningful if has_length */
	struct str method, scheme, authority, path; /* requests */
	struct bhttp_fields fields;
};

/* What a field is, by its name in lower case. */
enum bhttp_field_class {
	BHTTP_FIELD_END_TO_END,
	BHTTP_FIELD_HOP, /* of one connection: never carried */
	BHTTP_FIELD_OURS /* functionkey-*, also with another mark for '-' */
};
enum bhttp_field_class bhttp_field_class(struct str name);

/* Adds a field whose slices the caller keeps alive. INVALID (as said above), TOO_LARGE. */
int bhttp_fields_add(
	struct bhttp_fields *fields, struct str name, struct str value, struct err *err) must_check;

/* The first value of that name (lower case), and how many there are. */
size_t bhttp_fields_find(const struct bhttp_fields *fields, struct str name, struct str *ret_value);

/* -- writing -- */

struct bhttp_encoder {
	bool begun, known, ended;
	uint64_t left; /* known: content to come */
};

/* Appends the head; *e is set on success. INVALID, TOO_LARGE, NOMEM; out is then unchanged. */
int bhttp_encode_head(struct bhttp_encoder *e, const struct bhttp_head *head, struct buf *out,
	struct err *err) must_check;

/* Appends content, or a chunk of it. INVALID (more than the head said), TOO_LARGE, NOMEM. */
int bhttp_encode_content(
	struct bhttp_encoder *e, struct str bytes, struct buf *out, struct err *err) must_check;

/* Appends the end. trailers may be NULL. INVALID (less content than the head said). */
int bhttp_encode_end(struct bhttp_encoder *e, const struct bhttp_fields *trailers, struct buf *out,
	struct err *err) must_check;

/* Bytes that bhttp_encode_content adds to content of n bytes at most. */
#define BHTTP_CHUNK_ROOM 8

/* -- reading -- */

struct bhttp_decoder {
	bool response; /* what is expected */
	bool to_head;  /* it answers HEAD: set this before the first byte */
	int state;     /* private */
	bool has_head, chunked;
	uint64_t left;      /* of the content, or of its chunk */
	uint64_t content;   /* bytes so far */
	bool states_length; /* there is a Content-Length */
	uint64_t stated;
	struct buf in, tail; /* the head; lengths and trailers */
	struct bhttp_head head;
	struct bhttp_fields trailers;
};

/* A decoder of requests, or of responses. Allocates nothing. */
struct bhttp_decoder bhttp_decoder(bool response);
void bhttp_decoder_done(struct bhttp_decoder *d);
CLEANUP_DONE(struct bhttp_decoder, bhttp_decoder_done);

/* Takes all bytes and appends the content among them (never more than bytes.n). After a failure the
 * decoder is dead: BUG. INVALID, TOO_LARGE, NOMEM. */
int bhttp_decode(struct bhttp_decoder *d, struct str bytes, struct buf *content, struct err *err)
	must_check;

/* The bytes have ended. INVALID if that is no place where a message may end. Then the trailers are
 * known. */
int bhttp_decode_end(struct bhttp_decoder *d, struct err *err) must_check;

/* NULL until it has come. Borrowed from the decoder. */
const struct bhttp_head *bhttp_decoded_head(const struct bhttp_decoder *d);
const struct bhttp_fields *bhttp_decoded_trailers(const struct bhttp_decoder *d);

#endif
