#include "agent/recipients.h"

#include "agent/problem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/map.h"
#include "pkg/protocol/chain.h"

#include <stdio.h>

#define PIN_NAME_MAX 512

struct agent_pins {
	struct map *map; /* "namespace/record" -> struct protocol_pin */
};

int agent_pins_new(struct agent_pins **ret_pins, struct err *err)
{
	_cleanup_(agent_pins_free) struct agent_pins *p = base_alloc(1, sizeof(*p));

	if (!p)
		return FAIL(err, ERR_NOMEM, "pins");
	TRY(base_map_new(AGENT_PINS_MAX, &p->map, err));
	*ret_pins = STEAL(p);
	return 0;
}

struct agent_pins *agent_pins_free(struct agent_pins *p)
{
	struct str key = STR_NULL;
	void *value = NULL;

	if (!p)
		return NULL;
	for (size_t at = 0; p->map && base_map_next(p->map, &at, &key, &value);)
		base_free(value);
	base_map_free(p->map);
	return base_free(p);
}

size_t agent_pins_len(const struct agent_pins *p)
{
	return base_map_len(p->map);
}

static struct str pin_name(const struct crds_functionkey *record, char dst[static PIN_NAME_MAX])
{
	(void)snprintf(dst, PIN_NAME_MAX, "%.*s/%.*s", STR_FMT(record->ns), STR_FMT(record->name));
	return base_str(dst);
}

/* A pin that cannot be kept is no reason to refuse: the next use is a first contact again. */
static void pin(struct agent_pins *p, struct str name, const struct crds_functionkey *record,
	const struct crds_key *key)
{
	struct protocol_pin *kept = base_map_get(p->map, name);

	if (!kept) {
		kept = base_alloc(1, sizeof(*kept));
		if (!kept)
			return;
		if (base_map_put(p->map, name, kept, NULL, NULL) < 0) {
			base_free(kept);
			return;
		}
	}
	*kept = protocol_pin_of(record, key);
}

struct agent_recipients *agent_recipients_free(struct agent_recipients *r)
{
	return base_free(r);
}

/* What was seen of the records of one function. */
struct tally {
	const struct crds_functionkey *records[ENVELOPE_RECIPIENTS_MAX];
	const struct crds_key *keys[ENVELOPE_RECIPIENTS_MAX];
	size_t n, seen, leaving, no_holder, no_key, doubted;
	bool too_many;
};

static bool is_of(const struct crds_functionkey *record, struct str function)
{
	return record->role == CRDS_LEADER && base_str_eq(record->function, function) &&
	       base_str_eq(record->label_function, function);
}

static void doubt(const struct agent_chooser *c, enum agent_doubt what,
	const struct crds_functionkey *record, const char *why)
{
	if (c->doubts.tell)
		c->doubts.tell(c->doubts.ctx, what, record, why);
}

static bool genuine(const struct agent_chooser *c, const struct crds_functionkey *record,
	const struct crds_key *key)
{
	char text[PIN_NAME_MAX];
	const struct str name = pin_name(record, text);
	const struct protocol_pin nothing = {.epoch = 0};
	const struct protocol_pin *pinned = base_map_get(c->pins->map, name);
	enum protocol_continuity chain = PROTOCOL_BROKEN;
	struct err why = {0};

	if (protocol_leader_verify(record, c->pre, &why) < 0 ||
		protocol_key_verify(record, key, c->pre, &why) < 0 ||
		protocol_chain_judge(
			pinned ? pinned : &nothing, record, key, c->pre, &chain, &why) < 0) {
		/* That there is no memory says nothing of the record. */
		if (why.class != ERR_NOMEM)
			doubt(c, AGENT_DOUBT_SIGNATURE, record, why.msg);
		return false;
	}
	if (chain == PROTOCOL_BROKEN) {
		doubt(c, AGENT_DOUBT_CONTINUITY, record,
			"the key is not linked to the one that was used before");
		if (c->refuse_broken)
			return false;
	}
	pin(c->pins, name, record, key);
	return true;
}

static void count(
	const struct agent_chooser *c, const struct crds_functionkey *record, struct tally *t)
{
	const struct crds_key *key = crds_key_active(record);

	if (record->deleting) {
		t->leaving++;
		return;
	}
	t->seen++;
	if (crds_no_holder(record)) {
		t->no_holder++;
		return;
	}
	if (!key || !base_str_eq(record->scheme, STR(AGENT_SCHEME))) {
		t->no_key++;
		return;
	}
	if (t->n == ENVELOPE_RECIPIENTS_MAX) {
		t->too_many = true;
		return;
	}
	if (!genuine(c, record, key)) {
		t->doubted++;
		return;
	}
	t->records[t->n] = record;
	t->keys[t->n++] = key;
}

static int explain(const struct tally *t, struct str function, struct err *err)
{
	if (t->too_many)
		return REFUSE_AS(err, TOO_LARGE, "%.*s has more than %d live revisions",
			STR_FMT(function), ENVELOPE_RECIPIENTS_MAX);
	if (t->n > 0)
		return 0;
	/* It has replicas, or will be made anew. */
	if (t->seen == 0 && t->leaving > 0)
		return REFUSE_AS(
			err, NOT_READY, "the records of %.*s are being deleted", STR_FMT(function));
	if (t->seen == 0)
		return REFUSE_AS(err, UNKNOWN_RECIPIENT,
			"there is no Leader record of function %.*s", STR_FMT(function));
	if (t->doubted > 0)
		return REFUSE_AS(err, UNTRUSTED,
			"no record of %.*s has a key that verifies and continues the one before",
			STR_FMT(function));
	if (t->no_key > 0)
		return REFUSE_AS(err, NOT_READY, "no revision of %.*s has an active key yet",
			STR_FMT(function));
	return REFUSE_AS(err, NO_HOLDER, "no replica of %.*s holds a key", STR_FMT(function));
}

static int build(const struct tally *t, struct pre_context *pre, struct agent_recipients **ret,
	struct err *err)
{
	size_t names = 0;

	for (size_t i = 0; i < t->n; i++)
		names += t->records[i]->ns.n + 1 + t->records[i]->revision.n;
	_cleanup_(agent_recipients_free) struct agent_recipients *r =
		base_alloc(1, sizeof(*r) + t->n * sizeof(r->v[0]) + names);
	if (!r)
		return FAIL(err, ERR_NOMEM, "recipients");
	char *at = (char *)&r->v[t->n];
	for (size_t i = 0; i < t->n; i++) {
		const struct crds_functionkey *fk = t->records[i];
		struct envelope_target *to = &r->v[i];
		TRY(pre_public_key_parse(
			pre, t->keys[i]->key.b, sizeof(t->keys[i]->key.b), &to->key, err));
		to->epoch = (uint64_t)t->keys[i]->epoch;
		to->name = base_str_n(at, fk->ns.n + 1 + fk->revision.n);
		memcpy(at, fk->ns.p, fk->ns.n);
		at[fk->ns.n] = '/';
		memcpy(at + fk->ns.n + 1, fk->revision.p, fk->revision.n);
		at += to->name.n;
		if (to->epoch > r->epoch)
			r->epoch = to->epoch;
	}
	r->n = t->n;
	*ret = STEAL(r);
	return 0;
}

int agent_recipients_choose(const struct agent_chooser *c,
	const struct crds_functionkey *const *records, size_t n, struct str function,
	struct agent_recipients **ret, struct err *err)
{
	struct tally t = {0};

	for (size_t i = 0; i < n; i++)
		if (is_of(records[i], function))
			count(c, records[i], &t);
	TRY(explain(&t, function, err));
	return build(&t, c->pre, ret, err);
}

struct agent_recipient_keys agent_recipients_keys(const struct agent_recipients *r)
{
	struct agent_recipient_keys keys = {.n = r->n};

	for (size_t i = 0; i < r->n; i++)
		keys.v[i] = r->v[i].key;
	return keys;
}

bool agent_recipient_keys_have(
	const struct agent_recipient_keys *keys, const uint8_t key[static 33])
{
	for (size_t i = 0; i < keys->n; i++)
		if (memcmp(keys->v[i].b, key, sizeof(keys->v[i].b)) == 0)
			return true;
	return false;
}

bool agent_recipients_replace(
	const struct agent_recipients *r, const struct agent_recipient_keys *former)
{
	if (r->n > former->n)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (!agent_recipient_keys_have(former, r->v[i].key.b))
			return true;
	return false;
}
