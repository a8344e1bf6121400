/* The protocol as pure steps: (what is seen, now) -> (what to do).
 *
 * Layer: base, the types of crds, kmsg, pre public. No I/O, no clock, no state of its own: the
 * agent (and a simulated world) fills a view and carries actions out. Every step is level
 * triggered: the same view gives the same actions, an action that is lost or refused is asked for
 * again by the next step. Whoever executes does not start an action again while an equal one
 * (same kind, same subject) is under way.
 *
 * Invariants that the steps keep (DESIGN 5.5): at most one Active key; epochs and terms only grow;
 * nothing is written to a Leader record but by the holder of the Lease, in its own term; no grant
 * of a lower term is accepted; a grant is made only for a member whose pod was checked.
 */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include "crds/functionkey.h"
#include "pkg/pre/pre.h"

#define PROTOCOL_ACTIONS_MAX       64
#define PROTOCOL_HELD_MAX          64
#define PROTOCOL_ACTIVATE_AFTER_NS 2000000000LL /* how long a Prepared key waits for members */
#define PROTOCOL_ROTATION_FLOOR_S  2            /* a shorter period is taken as this one */
#define PROTOCOL_INBOX_QUIET_NS    1000000000LL /* how long an inbox key rests before it changes */
#define PROTOCOL_CERT_S            (24 * 3600)  /* how long a sender certificate is good, at most */
#define PROTOCOL_CERT_BEFORE_S     300          /* and how long it was before: clocks differ */
#define PROTOCOL_SILENT_NS \
	5000000000LL /* how long a starting replica keeps its reasons to itself */

/* An epoch whose secret the keeper holds. */
struct protocol_held {
	int64_t epoch;
	struct crds_point key;
	bool made; /* by this keeper itself: asked for again, it signs the same key again */
};

/* What the leader knows of a member's pod: it exists, UID, revision and owner fit the record. */
enum protocol_check { PROTOCOL_UNCHECKED = 0, PROTOCOL_CHECKED, PROTOCOL_REFUSED };

struct protocol_member {
	const struct crds_functionkey *record;
	enum protocol_check check;
};

/* The keeper as the network half knows it. */
struct protocol_keeper {
	struct crds_point receiving, inbox, identity;
	struct crds_signature proof;
	bool has_next_inbox; /* made, not yet in the record */
	struct crds_point next_inbox;
	struct crds_signature next_proof;
	int64_t term; /* 0: none; else verifying and term_signature belong to it */
	struct crds_point verifying;
	struct crds_signature term_signature;
	struct protocol_held held[PROTOCOL_HELD_MAX];
	size_t held_len;
	/* our own certificate, by ourselves as leader: until when (wall time; 0: none), and in
	 * which record's name */
	int64_t certified_ns;
	char certified_uid[CRDS_UID_LEN + 1];
	bool has_made; /* a key made by EPOCH that is not in the record yet */
	struct crds_key made;
};

struct protocol_view {
	int64_t boot_ns, wall_ns;
	int64_t started_ns; /* boot clock at which this network half started */
	/* self */
	struct str ns, revision, pod, pod_uid;
	int64_t incarnation;
	struct str endpoint; /* of our peer port */
	bool draining;
	struct protocol_keeper keeper;
	/* records; NULL: not there (or not seen yet, then synced is false) */
	bool synced;
	const struct crds_functionkey *leader;
	const struct crds_functionkey *own;
	enum protocol_check leader_check; /* of the pod that leads in the recorded term */
	/* the Lease */
	bool holding; /* we hold it and may write now */
	bool named;   /* it names us: the answer to the write that took it may be on its way */
	int64_t transitions;     /* of the Lease, as held */
	int64_t unheld_since_ns; /* boot clock; 0: it has a holder */
	int64_t lease_expiry_ns; /* boot clock at which it runs out unless renewed; 0: unheld */
	int64_t lease_duration_ns;
	struct str holder_pod, holder_uid; /* another replica that holds it; empty: none does */
	enum protocol_check holder_check;  /* of that pod */
	/* for the leader: all Member records of the revision but our own */
	bool members_synced;
	bool no_certificates; /* the API server does not keep them: its definition is older */
	bool no_revocations;  /* the same */
	const struct protocol_member *members;
	size_t members_len;
	int64_t prepared_since_ns; /* boot clock at which the Prepared key was first seen; 0: none
				    */
	/* for who would contend without keys: replicas whose records say that they can open the
	 * active key; -1: nobody has asked yet */
	int live_holders;
	int64_t count_again_ns; /* boot clock at which live_holders is not believed any more */
	/* boot clock of the last grant that the keeper took or refused; 0: the inbox is unused. In
	 * the future while refusals repeat. */
	int64_t inbox_used_ns;
	/* signatures of grants in our record that the keeper refused for good */
	const struct crds_signature *refused;
	size_t refused_len;
};

enum protocol_kind {
	/* every replica */
	PROTOCOL_RECORD_CREATE = 1, /* create our Member record */
	PROTOCOL_RECORD_UPDATE,     /* bring spec's incarnation, keys and proof up to date */
	PROTOCOL_REINCARNATE,   /* our incarnation is taken: the keeper's becomes .incarnation */
	PROTOCOL_CHECK_LEADER,  /* look at the pod that leads, or is about to: .pod, .pod_uid */
	PROTOCOL_ACCEPT,        /* give a grant to the keeper: .epoch, .grant, .key */
	PROTOCOL_SAY_OPENED,    /* write what we can open and our Ready condition */
	PROTOCOL_INBOX_NEXT,    /* have the keeper make the next inbox key */
	PROTOCOL_INBOX_COMMIT,  /* the record has it: wipe the one before */
	PROTOCOL_ERASE,         /* have the keeper forget .epoch */
	PROTOCOL_COUNT_HOLDERS, /* list the Member records, fill live_holders */
	/* the leader */
	PROTOCOL_KEEPER_TERM,  /* have the keeper make the verifying key of .term */
	PROTOCOL_TAKE_TERM,    /* patch: .term, we lead; if .key, PREPARE in the same write */
	PROTOCOL_KEEPER_EPOCH, /* have the keeper make .epoch, linked by .previous */
	PROTOCOL_PREPARE,      /* patch: abandon an orphan, add keeper.made as Prepared */
	/* patch: .epoch becomes Active, the Active one .state by .reason, the Retired .epochs
	 * Revoked */
	PROTOCOL_ACTIVATE,
	PROTOCOL_PRUNE,        /* patch: remove the final row of .epoch */
	PROTOCOL_CHECK_MEMBER, /* look at the pod of .member */
	/* kfrags for .member for every epoch of .epochs that it lacks, if any, and a certificate */
	PROTOCOL_GRANT,
	PROTOCOL_CERTIFY, /* have the keeper vouch for ourselves */
	PROTOCOL_KIND_COUNT
};

struct protocol_action {
	enum protocol_kind kind;
	int64_t epoch, term, previous, incarnation;
	enum crds_key_state state; /* ACTIVATE: what the Active key becomes */
	const char *reason;
	struct str pod, pod_uid;
	const struct crds_functionkey *member; /* ACTIVATE: of a pod for which the Active key is
						* revoked */
	size_t members;                        /* ACTIVATE: how many there are of those */
	const struct crds_grant *grant;
	const struct crds_key *key;
	int64_t epochs[CRDS_KEYS_MAX];
	size_t epochs_len;
};

/* Why a replica is not ready, for people and for the Ready condition. */
struct protocol_readiness {
	bool ready;
	const char *reason;  /* CamelCase, of a fixed set */
	const char *message; /* one sentence, with the fix where there is one */
};

struct protocol_plan {
	struct protocol_action actions[PROTOCOL_ACTIONS_MAX];
	size_t actions_len;
	bool truncated;   /* there was more to do: step again when some are done */
	int64_t wake_ns;  /* boot clock of the next step without an event; 0: none needed */
	bool may_contend; /* whether we try to get the Lease */
	bool leading;     /* the record names us, in the term that we hold */
	struct protocol_readiness readiness;
};

/* Fills *ret_plan. Cannot fail: what cannot be done is not in the plan, with the reason in
 * readiness. ctx is for fingerprints and signatures. */
void protocol_step(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *ret_plan);

/* -- the parts of a step, apart for tests -- */

/* Whether to contend for the Lease now; *wake_ns is lowered to when that may change. Sets
 * *ret_count if live_holders is needed and not known. */
bool protocol_may_contend(const struct protocol_view *v, bool *ret_count, int64_t *wake_ns);
void protocol_lead(const struct protocol_view *v, struct protocol_plan *plan);
void protocol_grants(const struct protocol_view *v, struct protocol_plan *plan);
void protocol_member_step(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *plan);

/* Why the Active key must be replaced by the leader of this term; NULL: it may stay. Lowers
 * plan->wake_ns. A rotation by period waits for a place in the list of keys: the retention's word
 * stands above it. What is asked for, or revoked, does not wait. */
const char *protocol_why_new_epoch(
	const struct protocol_view *v, int64_t term, struct protocol_plan *plan);

/* Wall clock at which the Active key's period is over, jitter included; 0: never. */
int64_t protocol_rotation_due_ns(const struct protocol_view *v, const struct crds_key *active);

/* True if this replica is revoked: it neither leads nor contends nor writes, but for saying so. */
bool protocol_revoked(const struct protocol_view *v);

/* Pods that were revoked since and may hold the secret of a key. */
struct protocol_exposure {
	const struct crds_functionkey
		*first; /* Member record of one of them; NULL: there is none */
	size_t n;
};

/* Every revoked pod, until status.revocations says that the key was made since: a pod that is gone
 * may have held it, and one that was captured may have changed its own record before it was
 * revoked. Also those that this key was granted to, or that opened or made it, as Member records
 * say. */
struct protocol_exposure protocol_exposed(
	const struct protocol_view *v, const struct crds_key *key);

/* True if the epoch is over and spec.eraseThrough asks for its end. */
bool protocol_erase_asked(const struct crds_functionkey *leader, const struct crds_key *key);

/* True if a row can be removed now because age and count both allow it, or it was asked for. */
bool protocol_past_retention(const struct protocol_view *v, const struct crds_key *key);
void protocol_retain(const struct protocol_view *v, struct protocol_plan *plan);
struct protocol_readiness protocol_ready(const struct protocol_view *v);

/* True if we hold the Lease, are not revoked, and the record names us as leader, in the keeper's
 * term and with its verifying key. A term that nobody has taken since stays good across a lost and
 * regained Lease and across a restart of the network half. */
bool protocol_leading(const struct protocol_view *v);

/* True if our Member record is this keeper's, whatever its inbox key. Before that nothing is
 * granted to us, and we do not contend. */
bool protocol_registered(const struct protocol_view *v);

/* True if the keeper holds this very key. */
bool protocol_holds(const struct protocol_view *v, const struct crds_key *key);

/* What `opened` ought to say: rows of the Leader record that the keeper holds, oldest first. */
size_t protocol_opened(
	const struct protocol_view *v, struct crds_opened_epoch ret_opened[static CRDS_KEYS_MAX]);

/* True if the key belongs to a leader of this record, of now or of a key that is listed: what it
 * vouches for counts. Not if that leader is revoked, or if its keys are: whoever captured it could
 * vouch for pods that never were, with UIDs that nobody can list. Of a leader of before the record
 * has no UID; that a revoked pod may hold its keys stands for that it is the revoked one. */
bool protocol_issuer_known(const struct crds_functionkey *leader, const struct crds_point *issuer);

/* Adds an action if there is room, else marks the plan as truncated; NULL then. */
struct protocol_action *protocol_add(struct protocol_plan *plan, enum protocol_kind kind);

/* Lowers plan->wake_ns to at_ns. */
void protocol_wake(struct protocol_plan *plan, int64_t at_ns);

/* "record-create" …; for logs. */
const char *protocol_kind_name(enum protocol_kind kind);

#endif
