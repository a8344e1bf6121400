#include "lib/internal.h"
#include "pkg/kube/json.h"

static int make_sender(
	struct functionkey_sender *s, const char *ns, const char *function, struct err *err)
{
	if (!ns || !function || ns[0] == 0 || function[0] == 0)
		return FAIL(err, ERR_INVALID, "a sender needs a namespace and a function");
	TRY(base_str_copy(base_str(ns), s->ns, sizeof(s->ns), "namespace", err));
	TRY(base_str_copy(base_str(function), s->function, sizeof(s->function), "function", err));
	return functionkey_tools_begin(&s->tools, err);
}

int functionkey_sender_new(const char *ns, const char *function, struct functionkey_sender **ret,
	struct functionkey_error *err)
{
	struct functionkey_sender *s = base_alloc(1, sizeof(*s));
	struct err why = {0};
	const int r = s ? make_sender(s, ns, function, &why) : FAIL(&why, ERR_NOMEM, "sender");

	if (r < 0)
		functionkey_sender_free(s);
	else
		*ret = s;
	return functionkey_result(r, &why, err);
}

struct functionkey_sender *functionkey_sender_free(struct functionkey_sender *s)
{
	if (s)
		functionkey_tools_done(&s->tools);
	return base_free(s);
}

size_t functionkey_sender_recipients(const struct functionkey_sender *s)
{
	return s->n;
}

static struct functionkey_pin *pin_find(struct functionkey_sender *s, struct str record)
{
	for (size_t i = 0; i < FUNCTIONKEY_PINS; i++)
		if (s->pins[i].pin.epoch && base_str_eq(base_str(s->pins[i].record), record))
			return &s->pins[i];
	return NULL;
}

/* What a document asks for, taken over only when all of it was found good. */
struct change {
	size_t n;
	struct functionkey_target targets[ENVELOPE_RECIPIENTS_MAX];
	struct functionkey_pin pins[ENVELOPE_RECIPIENTS_MAX];
};

static int judge(struct functionkey_sender *s, const struct crds_functionkey *fk,
	const struct crds_key *key, unsigned flags, struct err *err)
{
	const struct protocol_pin nothing = {.epoch = 0};
	const struct functionkey_pin *pinned = pin_find(s, fk->name);
	enum protocol_continuity chain = PROTOCOL_BROKEN;
	struct err why = {0};

	/* That there is no memory says nothing of the record. */
	if (protocol_leader_verify(fk, s->tools.pre, &why) < 0 ||
		protocol_key_verify(fk, key, s->tools.pre, &why) < 0 ||
		protocol_chain_judge(
			pinned ? &pinned->pin : &nothing, fk, key, s->tools.pre, &chain, &why) < 0)
		return FAIL(err, why.class == ERR_NOMEM ? ERR_NOMEM : ERR_DENIED, "record %.*s: %s",
			STR_FMT(fk->name), why.msg);
	if (!(flags & FUNCTIONKEY_ACCEPT_BREAK) && chain == PROTOCOL_BROKEN)
		return FAIL(err, ERR_DENIED,
			"record %.*s: the key does not continue the one that was used before",
			STR_FMT(fk->name));
	return 0;
}

static int target_set(struct functionkey_target *t, const struct functionkey_sender *s,
	struct str revision, struct err *err)
{
	char name[ENVELOPE_NAME_MAX + 1];
	const int n = snprintf(name, sizeof(name), "%s/%.*s", s->ns, STR_FMT(revision));

	if (revision.n == 0 || n < 0 || (size_t)n >= sizeof(name))
		return FAIL(err, ERR_INVALID, "a revision's name is empty or too long");
	memcpy(t->name, name, sizeof(name));
	return 0;
}

static int add_leader(struct functionkey_sender *s, const struct crds_functionkey *fk,
	unsigned flags, struct change *c, struct err *err)
{
	const struct crds_key *key = crds_key_active(fk);

	if (!base_str_eq(fk->ns, base_str(s->ns)) ||
		!base_str_eq(fk->function, base_str(s->function)) ||
		!base_str_eq(fk->label_function, base_str(s->function)))
		return FAIL(err, ERR_INVALID, "record %.*s is not of function %s in namespace %s",
			STR_FMT(fk->name), s->function, s->ns);
	if (fk->deleting || !key || crds_no_holder(fk) ||
		!base_str_eq(fk->scheme, STR("umbral-secp256k1")))
		return 0;
	TRY(judge(s, fk, key, flags, err));
	if (c->n == ENVELOPE_RECIPIENTS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d revisions", ENVELOPE_RECIPIENTS_MAX);
	struct functionkey_target *t = &c->targets[c->n];
	TRY(target_set(t, s, fk->revision, err));
	TRY(pre_public_key_parse(s->tools.pre, key->key.b, sizeof(key->key.b), &t->key, err));
	t->epoch = (uint64_t)key->epoch;
	struct functionkey_pin *pin = &c->pins[c->n];
	TRY(base_str_copy(fk->name, pin->record, sizeof(pin->record), "name", err));
	pin->pin = protocol_pin_of(fk, key);
	c->n++;
	return 0;
}

static int add_record(struct functionkey_sender *s, struct str json, unsigned flags,
	struct change *c, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;

	TRY(crds_functionkey_decode(json, &fk, err));
	return fk->role == CRDS_LEADER ? add_leader(s, fk, flags, c, err) : 0;
}

/* Each element of "items"; a document without them is one record. */
static int add_records(struct functionkey_sender *s, struct str json, unsigned flags,
	struct change *c, struct err *err)
{
	struct kube_json r;
	struct str key = STR_NULL, item = STR_NULL;
	bool list = false, more = true, another = true;

	TRY(kube_json_init(&r, json, err));
	TRY(kube_json_object_begin(&r, err));
	for (;;) {
		TRY(kube_json_next_key(&r, &key, &more, err));
		if (!more)
			break;
		if (!base_str_eq(key, STR("items"))) {
			TRY(kube_json_skip(&r, err));
			continue;
		}
		list = true;
		TRY(kube_json_array_begin(&r, err));
		for (;;) {
			TRY(kube_json_array_next(&r, &another, err));
			if (!another)
				break;
			TRY(kube_json_raw(&r, &item, err));
			TRY(add_record(s, item, flags, c, err));
		}
	}
	TRY(kube_json_end(&r, err));
	return list ? 0 : add_record(s, json, flags, c, err);
}

static void take(struct functionkey_sender *s, const struct change *c)
{
	s->n = c->n;
	memcpy(s->targets, c->targets, sizeof(s->targets));
	for (size_t i = 0; i < c->n; i++) {
		struct functionkey_pin *pin = pin_find(s, base_str(c->pins[i].record));
		if (!pin) {
			pin = &s->pins[s->next_pin];
			s->next_pin = (s->next_pin + 1) % FUNCTIONKEY_PINS;
		}
		*pin = c->pins[i];
	}
}

int functionkey_sender_records(struct functionkey_sender *s, const char *json, size_t n,
	unsigned flags, struct functionkey_error *err)
{
	struct err why = {0};
	struct change *c = base_alloc(1, sizeof(*c));
	int r = c ? 0 : FAIL(&why, ERR_NOMEM, "records");

	if (r == 0)
		r = add_records(s, base_str_n(json, n), flags, c, &why);
	if (r == 0 && c->n == 0)
		r = FAIL(&why, ERR_NOT_READY, "no revision of %s has a key that can be sealed to",
			s->function);
	if (r == 0)
		take(s, c);
	base_free(c);
	return functionkey_result(r, &why, err);
}

static int one_key(struct functionkey_sender *s, const char *revision, uint64_t epoch,
	const uint8_t *key, struct err *err)
{
	struct functionkey_target t = {.epoch = epoch};

	TRY(target_set(&t, s, base_str(revision), err));
	TRY(pre_public_key_parse(s->tools.pre, key, FUNCTIONKEY_KEY_LEN, &t.key, err));
	s->targets[0] = t;
	s->n = 1;
	return 0;
}

int functionkey_sender_key(struct functionkey_sender *s, const char *revision, uint64_t epoch,
	const uint8_t key[FUNCTIONKEY_KEY_LEN], struct functionkey_error *err)
{
	struct err why = {0};

	return functionkey_result(one_key(s, revision, epoch, key, &why), &why, err);
}
