#include "agent/choose.h"
#include "agent/problem.h"
#include "pkg/base/test.h"

/* The keys that a replica of shop/billing-1 knows, by the first byte of their fingerprint. */
struct world {
	struct crds_functionkey record;
	struct crds_key keys[6];
	bool open[256];
};

static struct agent_epoch find(void *ctx, const uint8_t fp[static 16])
{
	const struct world *w = ctx;

	for (size_t i = 0; i < w->record.keys_len; i++)
		if (w->keys[i].fingerprint.b[0] == fp[0])
			return (struct agent_epoch){
				.state = w->open[fp[0]] ? AGENT_EPOCH_OPEN : AGENT_EPOCH_LISTED,
				.epoch = w->keys[i].epoch,
				.key_state = w->keys[i].state};
	return (struct agent_epoch){.state = AGENT_EPOCH_UNKNOWN};
}

static void add(
	struct world *w, uint8_t fp, enum crds_key_state state, bool open, struct str reason)
{
	struct crds_key *key = &w->keys[w->record.keys_len++];

	*key = (struct crds_key){.epoch = fp, .state = state, .reason = reason};
	key->fingerprint.b[0] = fp;
	w->open[fp] = open;
	w->record.epoch = fp;
}

static void world_begin(struct world *w)
{
	*w = (struct world){.record.keys = w->keys};
	add(w, 1, CRDS_RETIRED, true, STR("Rotated"));
	add(w, 2, CRDS_RETIRED, false, STR("KeyLost"));
	add(w, 3, CRDS_RETIRED, false, STR("Rotated"));
	add(w, 4, CRDS_ABANDONED, false, STR_NULL);
	add(w, 5, CRDS_REVOKED, true, STR("Revoked"));
	add(w, 6, CRDS_ACTIVE, true, STR_NULL);
}

struct row {
	const char *name;
	const char *to;
	uint8_t fp;
	uint64_t epoch, alg;
	bool leading, no_record, no_active, closed;
	enum agent_problem problem; /* NONE: fate and state count */
	enum agent_fate fate;
	enum crds_key_state state;
};

#define US "shop/billing-1"

static const struct row rows[] = {
	{"active", US, 6, 6, 1, .fate = AGENT_FATE_OPEN, .state = CRDS_ACTIVE},
	{"retired", US, 1, 1, 1, .fate = AGENT_FATE_OPEN, .state = CRDS_RETIRED},
	{"revoked", US, 5, 5, 1, .fate = AGENT_FATE_OPEN, .state = CRDS_REVOKED},
	{"not granted yet", US, 3, 3, 1, .fate = AGENT_FATE_PARK, .state = CRDS_RETIRED},
	{"a leader gets nothing granted", US, 3, 3, 1, .leading = true,
		.problem = AGENT_PROBLEM_NO_KEY},
	{"lost with its last holder", US, 2, 2, 1, .problem = AGENT_PROBLEM_NO_KEY},
	{"lost, and we lead", US, 2, 2, 1, .leading = true, .problem = AGENT_PROBLEM_NO_KEY},
	{"abandoned", US, 4, 4, 1, .problem = AGENT_PROBLEM_STALE_EPOCH},
	{"abandoned, and none after it", US, 4, 4, 1, .no_active = true,
		.problem = AGENT_PROBLEM_NO_KEY},
	{"revoked, not granted yet", US, 5, 5, 1, .closed = true, .fate = AGENT_FATE_PARK,
		.state = CRDS_REVOKED},
	{"revoked, and never granted", US, 5, 5, 1, .leading = true, .closed = true,
		.problem = AGENT_PROBLEM_STALE_EPOCH},
	{"newer than we know", US, 7, 7, 1, .fate = AGENT_FATE_PARK},
	{"no record yet", US, 7, 1, 1, .no_record = true, .fate = AGENT_FATE_PARK},
	{"erased", US, 9, 3, 1, .problem = AGENT_PROBLEM_STALE_EPOCH},
	{"erased, and none after it", US, 9, 3, 1, .no_active = true,
		.problem = AGENT_PROBLEM_NO_KEY},
	{"never ours", US, 9, 6, 1, .problem = AGENT_PROBLEM_NO_KEY},
	{"another revision", "shop/billing-2", 9, 1, 1, .problem = AGENT_PROBLEM_WRONG_RECIPIENT},
	{"another namespace", "mall/billing-1", 9, 1, 1, .problem = AGENT_PROBLEM_WRONG_RECIPIENT},
	{"our key, another name", "shop/billing-2", 6, 6, 1, .problem = AGENT_PROBLEM_TAMPERED},
	{"our key, another epoch", US, 6, 5, 1, .problem = AGENT_PROBLEM_TAMPERED},
	{"another scheme", US, 6, 6, 2, .problem = AGENT_PROBLEM_WRONG_RECIPIENT},
};

static void each_message_has_its_fate(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct agent_choice choice = {0};
		struct err err = {0};
		struct world w;
		world_begin(&w);
		if (row->no_record)
			w.record.keys_len = 0;
		w.record.active_epoch = row->no_active ? 0 : 6;
		w.open[5] = !row->closed;
		struct envelope_header h = {.recipient_count = 2};
		h.recipients[0] = (struct envelope_recipient){
			.alg = 1, .epoch = 1, .name = STR("shop/other")};
		h.recipients[0].fp.b[0] = 200;
		h.recipients[1] = (struct envelope_recipient){
			.alg = row->alg, .epoch = row->epoch, .name = base_str(row->to)};
		h.recipients[1].fp.b[0] = row->fp;
		const struct agent_known known = {.name = STR(US),
			.record = row->no_record ? NULL : &w.record,
			.leading = row->leading,
			.find = find,
			.ctx = &w};
		const int r = agent_choose(&known, &h, &choice, &err);
		if ((r < 0 ? agent_problem_of(&err) : AGENT_PROBLEM_NONE) != row->problem)
			fail_msg("%s: %s", row->name, r < 0 ? err.msg : "taken");
		if (r < 0)
			continue;
		if (choice.fate != row->fate || choice.state != row->state)
			fail_msg("%s: fate %d, state %d", row->name, choice.fate, choice.state);
		assert_ptr_equal(choice.recipient, &h.recipients[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_message_has_its_fate)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
