/* The FunctionKey kind, functionkey.dev/v1alpha1, as C sees it: one public key and what has been
 * granted for it. Two roles, fixed at creation: the Leader record of a revision, the Member record
 * of one replica.
 *
 * Layer: base, kube/ref.h, kube/json.h. Knows no network and no curve: points and signatures are
 * bytes of the right length here, whoever uses them parses them with pkg/pre.
 *
 * An object is one heap block, immutable after decoding; strings in it are slices into that block,
 * lists are arrays in it of just the length that was read (caches hold thousands of records).
 * Whatever is malformed, too long or too many is INVALID: a lying API server cannot make us hold
 * more than the maxima below. Fields that this version does not know are ignored.
 */
#ifndef CRDS_FUNCTIONKEY_H
#define CRDS_FUNCTIONKEY_H

#include "pkg/base/buf.h"
#include "pkg/kube/ref.h"

#define CRDS_GROUP   "functionkey.dev"
#define CRDS_VERSION "v1alpha1"

/* Labels and annotations of ours, in one place. */
#define CRDS_LABEL_FOR        "functionkey.dev/for" /* Leader: the revision; Member: the pod's UID */
#define CRDS_LABEL_REVISION   "functionkey.dev/revision" /* on pods and records */
#define CRDS_LABEL_FUNCTION   "functionkey.dev/function" /* on pods and Leader records */
#define CRDS_LABEL_ROLE       "functionkey.dev/role"     /* "leader" or "member" */
#define CRDS_LABEL_INJECT     "functionkey.dev/inject"
#define CRDS_FINGERPRINT_NOTE "functionkey.dev/fingerprint"
#define CRDS_EPOCH_NOTE       "functionkey.dev/epoch"
#define CRDS_LEAVING_NOTE \
	"functionkey.dev/leaving" /* on a Lease: UID of a pod that is being deleted */

#define CRDS_KEYS_MAX     12
#define CRDS_REVOKED_MAX  64
#define CRDS_KFRAG_MAX    2048       /* base64 characters */
#define CRDS_CERT_MAX     1024       /* base64 characters */
#define CRDS_OBJECT_MAX   (2u << 20) /* more than etcd stores; little of it is kept */
#define CRDS_REVISION_MAX 52
#define CRDS_UID_LEN      36

extern const struct kube_resource crds_functionkeys;

enum crds_role { CRDS_LEADER = 1, CRDS_MEMBER };

enum crds_key_state { CRDS_PREPARED = 1, CRDS_ACTIVE, CRDS_RETIRED, CRDS_ABANDONED, CRDS_REVOKED };

enum crds_on_leader_change { CRDS_NEW_EPOCH = 1, CRDS_INHERIT };

struct crds_point {
	uint8_t b[33];
};
struct crds_fingerprint {
	uint8_t b[16];
};
struct crds_signature {
	uint8_t b[64];
};

/* status.leader of a Leader record (all fields), and of a Member record (who granted last: pod,
 * pod_uid, term and incarnation). */
struct crds_leader {
	struct str pod;
	struct str pod_uid;
	struct str endpoint; /* "<address>:9471", the peer port */
	struct str since;    /* RFC 3339 */
	int64_t incarnation;
	int64_t term;
	struct crds_point verifying; /* signs kfrags of this term */
	struct crds_point identity;  /* signs everything else of this replica */
	struct crds_signature
		signature; /* by identity, over the TERM statement (kmsg/statement.h) */
};

/* One row of status.keys. */
struct crds_key {
	int64_t epoch;
	enum crds_key_state state;
	struct str
		reason; /* why it left Active: Rotated, LeaderChanged, KeyLost, Revoked; or empty */
	struct crds_point key;
	struct crds_fingerprint fingerprint;
	struct crds_point continuity; /* derived from the epoch's secret; signs the next record */
	struct crds_point identity;   /* of the leader that made it */
	struct crds_signature signature; /* by identity, over the KEY statement */
	bool has_link;
	struct crds_signature
		link;     /* by the continuity key of `previous`, over the same statement */
	int64_t previous; /* epoch whose continuity key signed; 0 if there is no link */
	struct str leader_pod;
	int64_t term;
	int64_t activated_ns; /* wall time; 0: not yet */
	int64_t retired_ns;   /* wall time of leaving Active; 0: not yet */
};

/* One row of status.reEncryptionKeys of a Member record. */
struct crds_grant {
	int64_t epoch;
	int64_t term;
	int64_t incarnation;           /* of the member that it is for */
	struct str leader;             /* pod name of the signer */
	struct crds_fingerprint from;  /* the epoch's key */
	struct crds_fingerprint to;    /* the member's receiving key */
	struct crds_fingerprint inbox; /* the one-time key that it is sealed to */
	struct str kfrag;              /* base64 of a sealed-kfrag envelope */
	struct crds_signature
		signature; /* by the leader's identity key, over the GRANT statement */
};

/* status.certificate of a Member record: the leader vouches for the member's identity key. */
struct crds_certificate {
	struct str text;          /* base64 of a sender certificate (pkg/envelope/sender.h) */
	struct crds_point issuer; /* the leader's identity key, which signed it */
	struct str leader;        /* pod name of who wrote it */
	int64_t term;
	int64_t incarnation; /* of the member that it is for */
	int64_t expires_ns;  /* wall time */
};

struct crds_opened_epoch {
	int64_t epoch;
	struct crds_fingerprint fingerprint;
};

/* One row of status.revocations of a Leader record. */
struct crds_revocation {
	struct str pod_uid; /* of spec.revoked */
	int64_t epoch;      /* keys from this one on were made since */
};

enum crds_condition_status { CRDS_UNKNOWN = 0, CRDS_TRUE, CRDS_FALSE };

struct crds_condition {
	struct str type;
	enum crds_condition_status status;
	struct str reason;
	struct str message;
	struct str last_transition;
};

#define CRDS_CONDITIONS_MAX 16

struct crds_functionkey {
	/* metadata */
	struct str ns, name, uid, resource_version;
	struct str label_for, label_function;
	struct str owner_api_version, owner_kind, owner_name, owner_uid; /* the first owner */
	int64_t generation;
	bool deleting;

	/* spec, both roles */
	enum crds_role role;
	struct str revision;
	/* spec, Leader */
	struct str function;
	struct str scheme;
	enum crds_on_leader_change on_leader_change; /* default CRDS_NEW_EPOCH */
	int64_t retention_min_age_s;                 /* default 24 h */
	int64_t retention_max_epochs;                /* default 12 */
	int64_t rotation_period_s;                   /* 0: only on demand */
	int64_t rotation_after_epoch; /* on demand: the active epoch has to be above this one */
	int64_t erase_through; /* epochs that are over, up to this one, are erased; 0: none */
	struct str *revoked;   /* pod UIDs that get no key; at most CRDS_REVOKED_MAX */
	size_t revoked_len;
	/* spec, Member */
	struct str pod, pod_uid;
	int64_t incarnation;
	struct crds_point receiving, inbox, identity;
	struct crds_signature proof; /* by identity, over the MEMBER statement */

	/* status, Leader */
	int64_t epoch;          /* the highest ever listed; 0: none yet */
	int64_t active_epoch;   /* 0: none. On a Member: the active epoch that it opened */
	int64_t observed_epoch; /* that members and conditions are of; 0: not said */
	bool has_leader;
	struct crds_leader leader;
	struct crds_key *keys; /* by epoch, ascending; at most CRDS_KEYS_MAX */
	size_t keys_len;
	struct crds_revocation *revocations; /* at most CRDS_REVOKED_MAX */
	size_t revocations_len;
	int64_t members_total, members_ready;
	/* status, Member */
	struct crds_grant *grants; /* at most CRDS_KEYS_MAX */
	size_t grants_len;
	struct crds_opened_epoch *opened; /* what it says that it can open; at most CRDS_KEYS_MAX */
	size_t opened_len;
	int64_t opened_incarnation;
	bool has_certificate;
	struct crds_certificate certificate;
	/* status, both */
	struct crds_condition *conditions; /* at most CRDS_CONDITIONS_MAX */
	size_t conditions_len;
};

/* Decodes one object of at most CRDS_OBJECT_MAX bytes. INVALID with the field's path, TOO_LARGE,
 * NOMEM. The caller owns *ret_fk. */
int crds_functionkey_decode(struct str json, struct crds_functionkey **ret_fk, struct err *err)
	must_check;

/* NULL is fine. Returns NULL. */
struct crds_functionkey *crds_functionkey_free(struct crds_functionkey *fk);
CLEANUP_FREE(struct crds_functionkey, crds_functionkey_free);

/* The row of an epoch, the Active one, the Prepared one; NULL if there is none. */
const struct crds_key *crds_key_find(const struct crds_functionkey *leader, int64_t epoch);
const struct crds_key *crds_key_active(const struct crds_functionkey *leader);
const struct crds_key *crds_key_prepared(const struct crds_functionkey *leader);
const struct crds_grant *crds_grant_find(const struct crds_functionkey *member, int64_t epoch);
bool crds_opened(const struct crds_functionkey *member, int64_t epoch);
/* Whether the pod is on the revision's list of revoked ones. */
bool crds_revoked(const struct crds_functionkey *leader, struct str pod_uid);
/* NULL: its keys were not replaced yet. */
const struct crds_revocation *crds_revocation_find(
	const struct crds_functionkey *leader, struct str pod_uid);
const struct crds_condition *crds_condition_find(
	const struct crds_functionkey *fk, struct str type);
/* The condition NoHolder, if it is True of the key that is active now; else NULL. Who makes the
 * next key holds it, a moment before the controller says so: a condition of an earlier key is
 * history. */
const struct crds_condition *crds_no_holder(const struct crds_functionkey *leader);

/* "Prepared" ...; "Unknown" for what is none. Never NULL. */
const char *crds_key_state_name(enum crds_key_state state);

/* JSON pieces for creates and patches, appended to b. Field names are those of the CRD. */
int crds_member_json(const struct crds_functionkey *member, struct str owner_pod_uid, struct buf *b,
	struct err *err) must_check; /* a whole Member object, for create */
int crds_leader_json(const struct crds_functionkey *leader, struct buf *b, struct err *err)
	must_check; /* a whole Leader object with its owner, for create */
int crds_leader_status_json(const struct crds_leader *leader, struct buf *b, struct err *err)
	must_check;
int crds_key_json(const struct crds_key *key, struct buf *b, struct err *err) must_check;
/* status.revocations once epoch is recorded: as it is, and epoch for who is new in spec.revoked.
 * Rows of who is not revoked any more are left out. */
int crds_revocations_json(const struct crds_functionkey *leader, int64_t epoch, struct buf *b,
	struct err *err) must_check;
int crds_keys_json(const struct crds_key *keys, size_t n, struct buf *b, struct err *err)
	must_check;
int crds_grant_json(const struct crds_grant *grant, struct buf *b, struct err *err) must_check;
int crds_certificate_json(
	const struct crds_certificate *certificate, struct buf *b, struct err *err) must_check;

/* Name of the Member record of a pod: "<pod>.<first 8 of its UID>". Of a pod's name above 244
 * characters the first 243 and 'x' (so that it ends as a name must). INVALID: no pod name or UID.
 */
#define CRDS_NAME_MAX 254
int crds_member_name(struct str pod, struct str pod_uid, char dst[static CRDS_NAME_MAX],
	struct err *err) must_check;

/* A revision's key as used in names and labels: the name itself if it is a DNS label of at most
 * 52 characters, else its first 30 characters, '-', the first 10 hex digits of the owner's UID
 * without dashes, '-', and its last 10 characters (which hold the hash that tells revisions of one
 * StatefulSet apart), dots as dashes. owner_uid: of the controlling owner, or of the pod itself if
 * it has none. The same rule stands in manifests/base/injection.yaml. INVALID. */
int crds_revision_key(struct str name, struct str owner_uid, char dst[static CRDS_REVISION_MAX + 1],
	struct err *err) must_check;

/* One leadership, as logs name it: "<namespace>/<revision>@<term>". Agents and controller write it
 * in the field "leadership", so that the lines of one change of leader are found in all logs. */
#define CRDS_LEADERSHIP_MAX 160
struct str crds_leadership(
	struct str ns, struct str revision, int64_t term, char dst[static CRDS_LEADERSHIP_MAX]);

/* A workload's name as function: itself if it has at most 63 characters, else the first 62 and
 * 'x'. The same rule stands in manifests/base/injection.yaml. INVALID. */
#define CRDS_FUNCTION_MAX 63
int crds_function_key(struct str workload, char dst[static CRDS_FUNCTION_MAX + 1], struct err *err)
	must_check;

/* Name of the revision's Lease: "fk-<revision>". */
#define CRDS_LEASE_PREFIX "fk-"

#endif
