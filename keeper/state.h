/* What a keeper is made of. Included by the files of keeper/core only. Layer: keeper. */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include "keeper/core.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"
#include "pkg/kmsg/statement.h"

/* What the grants of one epoch and term share (docs/adr/0007). It opens no more than the epoch's
 * own secret does, and is wiped with it at the latest. */
struct keeper_shared {
	struct pre_precursor precursor;
	struct pre_ephemeral ephemeral;
};

/* In locked memory. */
struct keeper_secrets {
	struct secret receiving, inbox, next_inbox, identity, verifying;
	struct secret opening[KMSG_EPOCHS_MAX];       /* [i] opens messages to epochs[i].key */
	struct keeper_shared shared[KMSG_EPOCHS_MAX]; /* [i] of grants of it, if epochs[i].shares */
};

struct keeper_epoch {
	int64_t epoch; /* 0: a free place */
	struct pre_public_key key;
	struct pre_fingerprint fp;
	bool made;   /* by EPOCH, here */
	bool shares; /* the first grant of this term has made what they share */
};

struct keeper {
	const struct env *env;
	struct pre_context *pre;
	struct envelope_context *envelope;
	struct locked memory;
	struct keeper_secrets *secrets; /* in memory */
	struct buf scratch;             /* of statements */
	struct kmsg_who who;            /* incarnation 0: before INIT */
	struct kmsg_keys keys, next;    /* next.inbox is meaningful if has_next */
	bool has_next;
	int64_t term;      /* that it leads in; 0: none */
	int64_t seen_term; /* highest of an accepted grant */
	struct kmsg_term_reply leading;
	struct keeper_epoch epochs[KMSG_EPOCHS_MAX];
	struct kmsg_stats_reply stats;
};

/* One operation. The body of *ret that belongs to it is zero at the start. */
typedef int (*keeper_op)(struct keeper *k, const struct kmsg_request *request,
	struct kmsg_reply *ret, struct err *err);

/* member.c */
int keeper_op_init(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_inbox_next(struct keeper *k, const struct kmsg_request *request,
	struct kmsg_reply *ret, struct err *err) must_check;
int keeper_op_inbox_commit(struct keeper *k, const struct kmsg_request *request,
	struct kmsg_reply *ret, struct err *err) must_check;
int keeper_op_accept(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_open(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;

/* leader.c */
int keeper_op_term(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_epoch(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_grant(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_record(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;

/* sender.c */
int keeper_op_certify(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;
int keeper_op_sign(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err) must_check;

/* leader.c: CONFLICT if it does not lead in that term. */
int keeper_check_term(const struct keeper *k, int64_t term, struct err *err) must_check;
/* True if namespace and revision are the same. */
bool keeper_same_revision(const struct kmsg_who *a, const struct kmsg_who *b);

/* epochs.c: the table of keys. */

/* Its place; -1 if the epoch is not held. */
int keeper_epoch_find(const struct keeper *k, int64_t epoch);

/* The secret that opens the key of that fingerprint; NULL if none does. Borrowed. */
const struct secret *keeper_epoch_opening(
	const struct keeper *k, const struct kmsg_fingerprint *fingerprint);

/* TOO_LARGE if the table is full. The epoch must not be there yet. */
int keeper_epoch_add(struct keeper *k, const struct keeper_epoch *row, const struct secret *opening,
	struct err *err) must_check;

/* Wipes what grants of any epoch share: the next one of each makes it anew. */
void keeper_shared_wipe(struct keeper *k);

/* Wipes, also what its grants share. Nothing happens if the epoch is not held. */
void keeper_epoch_erase(struct keeper *k, int64_t epoch);

/* The epochs held, ascending, without their secrets. */
void keeper_epoch_list(const struct keeper *k, struct kmsg_held_reply *ret);

/* statement.c: signing and the forms of kmsg. */

/* who, in the form that statements have. */
struct kmsg_replica keeper_replica(const struct kmsg_who *who);

/* Signs what is in k->scratch with the identity key. */
int keeper_sign(struct keeper *k, const char *context, struct kmsg_signature *ret, struct err *err)
	must_check;

/* Signs the MEMBER statement over keys, into keys. */
int keeper_prove(struct keeper *k, struct kmsg_keys *keys, struct err *err) must_check;

/* Verifies the MEMBER statement of another replica. TAMPERED. */
int keeper_check_proof(struct keeper *k, const struct kmsg_who *who, const struct kmsg_keys *keys,
	struct err *err) must_check;

/* As pre_public_key_parse; what names the point in the message. INVALID. */
int keeper_point_parse(struct keeper *k, const struct kmsg_point *point, const char *what,
	struct pre_public_key *ret, struct err *err) must_check;

/* The same point in the form of kmsg. */
struct kmsg_point keeper_point_of(const struct pre_public_key *key);

/* The context hash of a grant: SHA-256 of kmsg_grant_encode's bytes. */
int keeper_grant_hash(struct keeper *k, const struct kmsg_grant *grant,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* Puts what a leader signs of a grant into k->scratch. */
int keeper_grant_statement(struct keeper *k, const struct kmsg_grant *grant, struct str sealed,
	struct err *err) must_check;

/* "<namespace>/<revision>" of this replica. */
struct keeper_name {
	char p[ENVELOPE_NAME_MAX + 1];
};
struct str keeper_revision_name(const struct keeper *k, struct keeper_name *name);

#define KEEPER_KFRAG_TYPE "application/vnd.functionkey.kfrag"

#endif
