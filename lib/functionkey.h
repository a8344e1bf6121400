/* libfunctionkey: sealing messages to functions, and opening them, for C programs without an agent.
 *
 * Layer: lib, above everything; of this project's programs kubectl-functionkey alone uses it. This
 * is the only header that is installed: it includes nothing of ours and keeps to C99 and C++.
 *
 *	struct functionkey_sender *s = NULL;
 *	struct functionkey_error why;
 *	void *envelope = NULL;
 *	size_t n = 0;
 *	if (functionkey_sender_new("shop", "billing", &s, &why) ||
 *		functionkey_sender_records(s, json, strlen(json), 0, &why) ||
 *		functionkey_seal(s, NULL, "hello", 5, &envelope, &n, &why))
 *		errx(1, "%s", why.message);
 *	... send n bytes at envelope ...
 *	functionkey_free(envelope);
 *	functionkey_sender_free(s);
 *
 * It reads and writes no files, opens no connections, starts no threads and prints nothing. Objects
 * are for one thread at a time; different threads may have objects of their own.
 *
 * A function that can fail returns 0 or a negative enum functionkey_status, fills *err (which may
 * be NULL), and leaves what it would have filled as it was. Texts are UTF-8 and end with NUL.
 *
 * What a sender trusts: it believes that the records are those of the API server, as everybody does
 * on first contact. It checks their signatures, remembers the key of each revision for as long as
 * it lives, and refuses a key that does not continue the one before.
 *
 * The ABI is stable within a soname (libfunctionkey.so.0): functions are only added; structs that
 * callers make begin with their size, so that they can grow.
 */
#ifndef FUNCTIONKEY_H
#define FUNCTIONKEY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUNCTIONKEY_API __attribute__((visibility("default")))

#define FUNCTIONKEY_KEY_LEN    33 /* a public key: a compressed point of secp256k1 */
#define FUNCTIONKEY_SECRET_LEN 32 /* a secret key: a scalar, big-endian */
#define FUNCTIONKEY_ID_LEN     16 /* a message's id */

/* Bytes of a message of functionkey_seal (streams have 2^40), and of a document of records. */
#define FUNCTIONKEY_MESSAGE_MAX ((size_t)1 << 20)
#define FUNCTIONKEY_RECORDS_MAX ((size_t)4 << 20)

/* Why a call failed: what was given is not well-formed; a cryptographic check failed (changed, or
 * not for this key); the envelope is sealed to other keys; past a maximum; a record's signatures do
 * not verify, or its key does not continue the one before; no revision has a key that can be sealed
 * to now; no memory; the caller's write function failed; no randomness, or a defect of ours. New
 * ones may be added. */
enum functionkey_status {
	FUNCTIONKEY_OK = 0,
	FUNCTIONKEY_E_INVALID = -1,
	FUNCTIONKEY_E_TAMPERED = -2,
	FUNCTIONKEY_E_NO_KEY = -3,
	FUNCTIONKEY_E_TOO_LARGE = -4,
	FUNCTIONKEY_E_UNTRUSTED = -5,
	FUNCTIONKEY_E_NOT_READY = -6,
	FUNCTIONKEY_E_NOMEM = -7,
	FUNCTIONKEY_E_WRITE = -8,
	FUNCTIONKEY_E_INTERNAL = -9,
};

/* Why, for people. */
struct functionkey_error {
	char message[256];
};

/* The version of the library, as in "v0.1". Static. */
FUNCTIONKEY_API const char *functionkey_version(void);

/* Frees what functionkey_seal and functionkey_open handed over. NULL is fine. Wipes nothing. */
FUNCTIONKEY_API void functionkey_free(void *p);

/* --- Whom to seal to ------------------------------------------------------------------------- */

/* A function as a sender knows it: its revisions' keys, and which keys it has seen before. */
struct functionkey_sender;

/* Of a function in a namespace, without keys yet. The caller owns *ret. INVALID, NOMEM. */
FUNCTIONKEY_API int functionkey_sender_new(const char *ns, const char *function,
	struct functionkey_sender **ret, struct functionkey_error *err);

/* NULL is fine. Returns NULL. */
FUNCTIONKEY_API struct functionkey_sender *functionkey_sender_free(struct functionkey_sender *s);

/* Flag of functionkey_sender_records: take keys that do not continue the ones before, for callers
 * who know of the break (a revision that lost all its replicas begins anew). */
#define FUNCTIONKEY_ACCEPT_BREAK 1u

/* Seals to the revisions of these records from now on, and to no other: `json` is one FunctionKey
 * or a list of them, as `kubectl get functionkeys -o json` prints. Member records, and revisions
 * without a holder or an active key, are left out.
 *
 * INVALID (also a record of another function), TOO_LARGE (more than 16 revisions), UNTRUSTED,
 * NOT_READY where none is left; the sender is then as before. So UNTRUSTED of one revision also
 * holds back newer keys of the others: clear it up, or give the records without that one. */
FUNCTIONKEY_API int functionkey_sender_records(struct functionkey_sender *s, const char *json,
	size_t n, unsigned flags, struct functionkey_error *err);

/* Seals to this one key from now on, which the caller trusts for reasons of his own. INVALID. */
FUNCTIONKEY_API int functionkey_sender_key(struct functionkey_sender *s, const char *revision,
	uint64_t epoch, const uint8_t key[FUNCTIONKEY_KEY_LEN], struct functionkey_error *err);

/* How many revisions a message is sealed to now: 0 to 16. */
FUNCTIONKEY_API size_t functionkey_sender_recipients(const struct functionkey_sender *s);

/* --- Sealing --------------------------------------------------------------------------------- */

/* What is said of a message, inside and authenticated. NULL in its place means its defaults. */
struct functionkey_options {
	size_t size;            /* sizeof(struct functionkey_options) */
	const char *media_type; /* of the plaintext; NULL: application/octet-stream */
	uint64_t expires;       /* Unix seconds; 0: never */
};

/* Seals n bytes, at most FUNCTIONKEY_MESSAGE_MAX. *ret is the envelope of *ret_n bytes, of media
 * type application/vnd.functionkey.v1+cbor; give it to functionkey_free. INVALID, TOO_LARGE,
 * NOT_READY (no recipients), NOMEM, INTERNAL. */
FUNCTIONKEY_API int functionkey_seal(struct functionkey_sender *s,
	const struct functionkey_options *options, const void *plaintext, size_t n, void **ret,
	size_t *ret_n, struct functionkey_error *err);

/* Takes n bytes at p, all of them, and returns 0; anything else ends the stream with WRITE. */
typedef int functionkey_write(void *ctx, const void *p, size_t n);

/* A message that is sealed as it comes, in constant memory. */
struct functionkey_stream;

/* Begins an envelope of any length, of media type application/vnd.functionkey.v1.stream; what is
 * sealed goes to `write`, which may be called already now. The sender may be used or freed
 * meanwhile. The caller owns *ret. As functionkey_seal, and WRITE. */
FUNCTIONKEY_API int functionkey_seal_begin(struct functionkey_sender *s,
	const struct functionkey_options *options, functionkey_write *write, void *ctx,
	struct functionkey_stream **ret, struct functionkey_error *err);

/* The next n bytes. After a failure only functionkey_stream_free remains. */
FUNCTIONKEY_API int functionkey_stream_add(
	struct functionkey_stream *stream, const void *p, size_t n, struct functionkey_error *err);

/* There are no more bytes: writes the rest. An envelope without its end is refused by who opens it.
 */
FUNCTIONKEY_API int functionkey_stream_end(
	struct functionkey_stream *stream, struct functionkey_error *err);

/* Also before its end. NULL is fine. Returns NULL. */
FUNCTIONKEY_API struct functionkey_stream *functionkey_stream_free(
	struct functionkey_stream *stream);

/* --- Opening --------------------------------------------------------------------------------- */

/* A key pair of the program's own. The keys of functions never leave their keepers: this is for
 * programs that receive envelopes under a public key that they gave out themselves. */
struct functionkey_key;

/* A new one, or from a secret that was kept. The caller owns *ret, and wipes his copy of secret.
 * INVALID (no scalar), NOMEM, INTERNAL. */
FUNCTIONKEY_API int functionkey_key_new(
	struct functionkey_key **ret, struct functionkey_error *err);
FUNCTIONKEY_API int functionkey_key_from(const uint8_t secret[FUNCTIONKEY_SECRET_LEN],
	struct functionkey_key **ret, struct functionkey_error *err);

/* What senders need, and what must be kept to open again after the program has ended. */
FUNCTIONKEY_API void functionkey_key_public(
	const struct functionkey_key *key, uint8_t ret[FUNCTIONKEY_KEY_LEN]);
FUNCTIONKEY_API void functionkey_key_secret(
	const struct functionkey_key *key, uint8_t ret[FUNCTIONKEY_SECRET_LEN]);

/* Wipes and frees. NULL is fine. Returns NULL. */
FUNCTIONKEY_API struct functionkey_key *functionkey_key_free(struct functionkey_key *key);

/* What is known of who sent an envelope: nothing; that whoever made it had a secret of this sender,
 * which every recipient of the sender has, too; that the sender made it, as it is. */
enum functionkey_level {
	FUNCTIONKEY_SENDER_NONE = 0,
	FUNCTIONKEY_SENDER_ORIGIN = 1,
	FUNCTIONKEY_SENDER_MESSAGE = 2,
};

/* What an envelope says of itself, verified.
 *
 * From sender_level on it is about the sender, and empty or 0 at level NONE: the certificate that
 * the envelope carries. Its signature was verified, and that it was good when the envelope says it
 * was made. Whether sender_issuer is to be believed the library cannot know: THE CALLER COMPARES it
 * with the identity keys of leaders of that revision (status.leader.identityKey of the revision's
 * record). Who does not, knows no sender: anybody can issue certificates to himself. */
struct functionkey_info {
	size_t size; /* sizeof(struct functionkey_info), filled by the caller */
	uint8_t id[FUNCTIONKEY_ID_LEN];
	uint64_t issued;         /* Unix seconds, by the sender's clock */
	uint64_t expires;        /* Unix seconds; 0: never. The caller judges */
	uint64_t epoch;          /* of the key that it was sealed to */
	char name[320];          /* whom it was sealed to: namespace/revision */
	char media_type[256];    /* of the plaintext */
	int sender_level;        /* enum functionkey_level */
	char sender_cluster[64]; /* UID of the sender's Leader record */
	char sender_namespace[64];
	char sender_function[64];
	char sender_revision[256];
	char sender_pod[256];
	uint8_t sender_pod_uid[16];
	uint8_t sender_key[FUNCTIONKEY_KEY_LEN];
	uint8_t sender_issuer[FUNCTIONKEY_KEY_LEN];  /* who the caller must know */
	int64_t sender_epoch, sender_term;           /* of the leadership that issued it */
	int64_t sender_not_before, sender_not_after; /* Unix seconds */
};

/* Opens an envelope in hand, of either form and every level, with at most FUNCTIONKEY_MESSAGE_MAX
 * bytes of plaintext; what the sender signed has verified then. Envelopes that this library seals
 * are of level NONE: only an agent's have a sender. *ret is the plaintext of *ret_n bytes; give it
 * to functionkey_free. info may be NULL. INVALID, TAMPERED, NO_KEY, TOO_LARGE, NOMEM. */
FUNCTIONKEY_API int functionkey_open(struct functionkey_key *key, const void *envelope, size_t n,
	void **ret, size_t *ret_n, struct functionkey_info *info, struct functionkey_error *err);

#ifdef __cplusplus
}
#endif

#endif
