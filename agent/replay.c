#include "agent/replay.h"

#include "agent/problem.h"
#include "pkg/base/alloc.h"

#define FIRST_SLOTS 1024 /* a power of two */

/* Open addressing. until_s 0: never used; past: of no use, but others may stand behind it. */
struct slot {
	struct agent_replay_key key;
	int64_t until_s; /* Unix time */
};

struct agent_replay {
	const struct env *env;
	struct envelope_context *envelope;
	int64_t window_s;
	size_t max;
	uint8_t salt[16]; /* so that nobody can choose where a message stands */
	struct slot *slots;
	size_t cap, used;
	int64_t full_until_s; /* looking for room costs time: once a second */
};

static int64_t now_s(const struct agent_replay *r)
{
	return base_wall_ns(r->env) / NS_PER_S;
}

int agent_replay_new(const struct env *env, struct envelope_context *envelope, int64_t window_s,
	size_t max, struct agent_replay **ret_replay, struct err *err)
{
	_cleanup_(agent_replay_free) struct agent_replay *r = base_alloc(1, sizeof(*r));

	if (!r)
		return FAIL(err, ERR_NOMEM, "replay window");
	r->env = env;
	r->envelope = envelope;
	r->window_s = window_s;
	r->max = max;
	r->cap = FIRST_SLOTS;
	TRY(base_random(env, r->salt, sizeof(r->salt), err));
	r->slots = base_alloc(r->cap, sizeof(*r->slots));
	if (!r->slots)
		return FAIL(err, ERR_NOMEM, "replay window");
	*ret_replay = STEAL(r);
	return 0;
}

struct agent_replay *agent_replay_free(struct agent_replay *r)
{
	if (!r)
		return NULL;
	base_free(r->slots);
	return base_free(r);
}

/* The slot of the key, or the one where it would stand. */
static struct slot *find(struct slot *slots, size_t cap, const struct agent_replay_key *key)
{
	uint64_t at = 0;

	memcpy(&at, key->b, sizeof(at));
	for (size_t i = (size_t)at & (cap - 1);; i = (i + 1) & (cap - 1))
		if (slots[i].until_s == 0 || memcmp(slots[i].key.b, key->b, sizeof(key->b)) == 0)
			return &slots[i];
}

static size_t count_live(const struct agent_replay *r, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < r->cap; i++)
		n += r->slots[i].until_s > now;
	return n;
}

static int full(struct err *err)
{
	return REFUSE_AS(err, NOT_READY, "the replay window is full");
}

/* Anew, without what is over, in as many places as twice the rest needs. */
static int rebuild(struct agent_replay *r, int64_t now, struct err *err)
{
	const size_t live = count_live(r, now);
	size_t cap = FIRST_SLOTS;

	if (live >= r->max) {
		r->full_until_s = now + 1;
		return full(err);
	}
	while (cap / 2 < 2 * live && cap / 2 < r->max)
		cap *= 2;
	struct slot *slots = base_alloc(cap, sizeof(*slots));
	if (!slots)
		return FAIL(err, ERR_NOMEM, "replay window");
	for (size_t i = 0; i < r->cap; i++)
		if (r->slots[i].until_s > now)
			*find(slots, cap, &r->slots[i].key) = r->slots[i];
	base_free(r->slots);
	r->slots = slots;
	r->cap = cap;
	r->used = live;
	return 0;
}

static int key_of(struct agent_replay *r, const struct pre_public_key *sender,
	const uint8_t id[static ENVELOPE_ID_LEN], struct agent_replay_key *ret, struct err *err)
{
	uint8_t all[sizeof(r->salt) + ENVELOPE_ID_LEN + PRE_POINT_LEN] = {0};
	uint8_t hash[ENVELOPE_HASH_LEN];

	memcpy(all, r->salt, sizeof(r->salt));
	memcpy(all + sizeof(r->salt), id, ENVELOPE_ID_LEN);
	if (sender)
		memcpy(all + sizeof(r->salt) + ENVELOPE_ID_LEN, sender->b, PRE_POINT_LEN);
	TRY(envelope_hash(r->envelope, base_str_n(all, sizeof(all)), hash, err));
	memcpy(ret->b, hash, sizeof(ret->b));
	return 0;
}

static int check_time(const struct agent_replay *r, uint64_t iat, int64_t now, struct err *err)
{
	if (iat > (uint64_t)now + AGENT_REPLAY_SKEW_S)
		return REFUSE_AS(err, REPLAYED, "the message says that it is from the future");
	if ((uint64_t)now > iat && (uint64_t)now - iat > (uint64_t)r->window_s)
		return REFUSE_AS(err, REPLAYED,
			"the message is older than the replay window of %lld s",
			(long long)r->window_s);
	return 0;
}

int agent_replay_take(struct agent_replay *r, const struct pre_public_key *sender,
	const uint8_t id[static ENVELOPE_ID_LEN], uint64_t iat, struct agent_replay_key *ret,
	struct err *err)
{
	const int64_t now = now_s(r);
	struct agent_replay_key key;

	TRY(check_time(r, iat, now, err));
	TRY(key_of(r, sender, id, &key, err));
	if (now < r->full_until_s)
		return full(err);
	if (r->used >= r->cap / 2 || r->used >= r->max)
		TRY(rebuild(r, now, err));
	struct slot *slot = find(r->slots, r->cap, &key);
	if (slot->until_s > now)
		return REFUSE_AS(err, REPLAYED, "this replica has had this message already");
	r->used += slot->until_s == 0;
	/* Until a copy would be refused for its age. */
	slot->key = key;
	slot->until_s = (int64_t)iat + r->window_s + 1;
	if (slot->until_s <= now)
		slot->until_s = now + 1;
	*ret = key;
	return 0;
}

void agent_replay_forget(struct agent_replay *r, const struct agent_replay_key *key)
{
	struct slot *slot = find(r->slots, r->cap, key);

	if (slot->until_s)
		slot->until_s = 1;
}

size_t agent_replay_len(const struct agent_replay *r)
{
	return r->used;
}
