/* The messages between the agent's network half and its keeper, over one SOCK_SEQPACKET
 * socketpair (the keeper's file descriptor 3).
 *
 * Layer: base. Both ends encode and decode with these functions only. A message is one packet:
 * {be16 version, be16 op, be32 seq, be32 length} and a body of fixed shape for its op; never more
 * than KMSG_PACKET_MAX bytes. Whatever does not have exactly the shape is INVALID, and a keeper
 * that gets such a packet wipes and exits: its peer is broken or hostile.
 *
 * The keeper answers every request with one packet of the same op and seq: status (0 or an error
 * class) and, on success, the op's reply. It builds everything that it signs itself: there is no
 * "sign these bytes". Requests of the urgent kind (INIT, TERM, EPOCH, ERASE, …) are served before
 * opens, opens before grants; grants run in slices of at most 2 ms.
 *
 * A network half begins with HELD: the keeper drops what is still queued of the half before, so
 * that after the reply to HELD nothing of it can arrive any more. Then INIT, which is answered
 * again if it says the same, and with the same keys if it says a higher incarnation before any key
 * was used. All others but STATS are NOT_READY before INIT.
 */
#ifndef KMSG_OPS_H
#define KMSG_OPS_H

#include "pkg/base/buf.h"
#include "pkg/base/secret.h"

#define KMSG_VERSION    1
#define KMSG_PACKET_MAX 16384
#define KMSG_FD         3
#define KMSG_QUEUE_MAX  256 /* requests that a keeper holds; the network half never has more out */
#define KMSG_EPOCHS_MAX 64  /* epochs that a keeper holds secrets of */
#define KMSG_SEALED_MAX 1400
#define KMSG_CERT_MAX   768
#define KMSG_CERT_S     (48 * 3600) /* a certificate is good for at most so many seconds */
#define KMSG_HASH_LEN   32

enum kmsg_op {
	KMSG_INIT = 1,     /* who we are -> our public keys and the member proof */
	KMSG_INBOX_NEXT,   /* make the next inbox key -> its public half and a new member proof */
	KMSG_INBOX_COMMIT, /* the record has the next one: wipe the one before */
	KMSG_TERM,         /* we lead in this term -> verifying key, signature */
	KMSG_EPOCH,        /* make the key of an epoch -> key, continuity key, signatures */
	KMSG_GRANT,        /* make a kfrag for a member -> sealed kfrag, signature */
	KMSG_ACCEPT,       /* a grant of a leader to us: verify, keep -> nothing */
	KMSG_OPEN,         /* fingerprint, capsule, wrapped -> content secret */
	KMSG_ERASE,        /* forget an epoch -> nothing */
	KMSG_RECORD,       /* sign the record that the peer port serves -> signature */
	KMSG_STATS,        /* -> counters */
	KMSG_HELD,         /* first of a network half -> what the keeper holds */
	KMSG_CERTIFY,      /* vouch for a member's identity key, or our own -> certificate */
	KMSG_SIGN,         /* sign a message that we send -> signature */
	KMSG_OP_COUNT
};

/* In which order a keeper serves. */
enum kmsg_priority { KMSG_CONTROL, KMSG_OPENS, KMSG_GRANTS, KMSG_PRIORITY_COUNT };

/* GRANTS, the last, for what is none. */
enum kmsg_priority kmsg_op_priority(enum kmsg_op op);

/* "init", "open", …; "unknown" for what is none. Never NULL. */
const char *kmsg_op_name(enum kmsg_op op);

#define KMSG_NAME_MAX 254

/* A bounded string inside a message; length first, no NUL. Never empty on the wire, and of
 * letters, digits and "-._:" only, as names and UIDs of Kubernetes are. */
struct kmsg_name {
	uint16_t n;
	char p[KMSG_NAME_MAX];
};

/* INVALID if s is empty, too long or has other characters. */
int kmsg_name_set(struct kmsg_name *ret_name, struct str s, struct err *err) must_check;

/* Borrowed from the name. */
static inline struct str kmsg_name_str(const struct kmsg_name *name)
{
	return (struct str){.p = name->p, .n = name->n};
}

struct kmsg_point {
	uint8_t b[33];
};
struct kmsg_signature {
	uint8_t b[64];
};
struct kmsg_fingerprint {
	uint8_t b[16];
};

struct kmsg_who {
	struct kmsg_name ns, revision, pod, pod_uid;
	int64_t incarnation;
};

struct kmsg_keys {
	struct kmsg_point receiving, inbox, identity;
	struct kmsg_signature proof;
};

struct kmsg_init {
	struct kmsg_who who;
};
/* reply: struct kmsg_keys */

/* INBOX_NEXT: request empty; reply: struct kmsg_keys with the next inbox key. Until COMMIT both
 * inbox secrets open grants. Asked again before COMMIT, it gives the same key again.
 * INBOX_COMMIT: NOT_FOUND if there is no next one. */

/* Terms only grow: CONFLICT for a lower one than the keeper has seen, in TERM or ACCEPT. The term
 * that it leads in already is answered with the same key. */
struct kmsg_term_request {
	int64_t term;
};
struct kmsg_term_reply {
	struct kmsg_point verifying;
	struct kmsg_signature signature; /* by identity, TERM */
};

/* For an epoch that this keeper made itself: the same key, signed for the term and link that are
 * asked for now. EXISTS for an epoch whose key came from elsewhere. */
struct kmsg_epoch_request {
	int64_t epoch;
	int64_t term;
	int64_t previous; /* epoch whose secret shall link; 0 or not held: no link */
};
struct kmsg_epoch_reply {
	struct kmsg_point key, continuity;
	struct kmsg_signature signature; /* by identity, KEY */
	uint8_t has_link;
	struct kmsg_signature link; /* by the previous epoch's continuity key, LINK */
	int64_t previous;           /* 0 if there is no link */
};

struct kmsg_grant_request {
	int64_t epoch;
	int64_t term;
	struct kmsg_who member; /* ns and revision must be ours */
	struct kmsg_keys keys;  /* the keeper verifies the proof itself */
};
struct kmsg_grant_reply {
	uint16_t sealed_len;
	uint8_t sealed[KMSG_SEALED_MAX]; /* a kind-3 envelope */
	struct kmsg_signature signature; /* by identity, GRANT over context and SHA-256(sealed) */
};

/* TAMPERED if the epoch is held with another key; CONFLICT if the term is lower than one that was
 * seen before. An epoch that is held with this key already is left as it is. */
struct kmsg_accept_request {
	int64_t epoch;
	int64_t term;
	struct kmsg_point from;      /* the epoch's key, from the Leader record */
	struct kmsg_point verifying; /* of the term */
	struct kmsg_point identity;  /* of the leader */
	struct kmsg_signature signature;
	uint16_t sealed_len;
	uint8_t sealed[KMSG_SEALED_MAX];
};

struct kmsg_open_request {
	struct kmsg_fingerprint fingerprint;
	uint8_t capsule[105];
	uint8_t wrapped[72];
};
struct kmsg_open_reply {
	struct secret k; /* wipe it */
};

struct kmsg_erase_request {
	int64_t epoch;
};

struct kmsg_record_request {
	int64_t epoch, term;
	struct kmsg_point key;
};
struct kmsg_record_reply {
	struct kmsg_signature signature; /* by identity, RECORD */
};

/* A sender certificate (pkg/envelope/sender.h) for the identity key of a member whose proof the
 * keeper verifies itself, or of this replica. cluster and function are the network half's word:
 * receivers compare them with the Leader record that they know. DENIED: another revision's member;
 * INVALID: times that are not in order, or more than KMSG_CERT_S apart. */
struct kmsg_certify_request {
	int64_t epoch; /* that is active; 0: none yet */
	int64_t term;
	int64_t nbf, exp; /* Unix seconds */
	struct kmsg_name cluster, function;
	struct kmsg_who member;
	struct kmsg_keys keys;
};
struct kmsg_certify_reply {
	uint16_t certificate_len;
	uint8_t certificate[KMSG_CERT_MAX];
};

/* The structure that is signed is made here, of these fields alone (pkg/envelope/sender.h). */
struct kmsg_sign_request {
	uint8_t message; /* 0: level origin */
	uint8_t bound[KMSG_HASH_LEN];
	uint8_t certificate[KMSG_HASH_LEN];
	uint8_t payload[KMSG_HASH_LEN];
};
struct kmsg_sign_reply {
	struct kmsg_signature signature; /* by identity */
};

struct kmsg_held_epoch {
	int64_t epoch;
	struct kmsg_point key;
	uint8_t made; /* by this keeper: EPOCH signs it again */
};

/* incarnation 0: a new keeper, which waits for INIT; all else is zero then. */
struct kmsg_held_reply {
	int64_t incarnation;
	struct kmsg_keys keys;
	uint8_t has_next; /* an inbox key that was not committed */
	struct kmsg_point next_inbox;
	struct kmsg_signature next_proof;
	int64_t term; /* 0: it never led */
	struct kmsg_point verifying;
	struct kmsg_signature signature; /* by identity, TERM */
	uint16_t epochs_len;
	struct kmsg_held_epoch epochs[KMSG_EPOCHS_MAX]; /* ascending */
};

struct kmsg_stats_reply {
	uint64_t opens, open_failures, grants, accepts, signatures;
	uint16_t epochs;
	uint8_t memory_locked; /* 0: mlock was refused */
	uint8_t sandboxed;     /* 0: a sanitizer build without seccomp */
};

/* One message, decoded. The body that belongs to the op is set. */
struct kmsg_request {
	enum kmsg_op op;
	uint32_t seq;
	union {
		struct kmsg_init init;
		struct kmsg_term_request term;
		struct kmsg_epoch_request epoch;
		struct kmsg_grant_request grant;
		struct kmsg_accept_request accept;
		struct kmsg_open_request open;
		struct kmsg_erase_request erase;
		struct kmsg_record_request record;
		struct kmsg_certify_request certify;
		struct kmsg_sign_request sign;
	};
};

struct kmsg_reply {
	enum kmsg_op op;
	uint32_t seq;
	enum err_class status; /* ERR_OK: the body is set */
	char message[128];     /* of a failure; never holds secrets */
	union {
		struct kmsg_keys keys; /* INIT, INBOX_NEXT */
		struct kmsg_term_reply term;
		struct kmsg_epoch_reply epoch;
		struct kmsg_grant_reply grant;
		struct kmsg_open_reply open;
		struct kmsg_record_reply record;
		struct kmsg_stats_reply stats;
		struct kmsg_held_reply held;
		struct kmsg_certify_reply certify;
		struct kmsg_sign_reply sign;
	};
};

/* One packet into p (at most KMSG_PACKET_MAX). INVALID if a field is out of its bounds. */
int kmsg_request_encode(const struct kmsg_request *r, uint8_t *p, size_t *ret_n, struct err *err)
	must_check;
int kmsg_reply_encode(const struct kmsg_reply *r, uint8_t *p, size_t *ret_n, struct err *err)
	must_check;

/* Strict: every byte of the packet is accounted for. INVALID otherwise. Replies of OPEN hold a
 * secret: wipe packet and struct. */
int kmsg_request_decode(const uint8_t *p, size_t n, struct kmsg_request *ret_r, struct err *err)
	must_check;
int kmsg_reply_decode(const uint8_t *p, size_t n, struct kmsg_reply *ret_r, struct err *err)
	must_check;

#endif
