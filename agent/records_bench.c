/* records_bench N: genuine Leader records of N functions f-0 … in namespace shop, for measuring
 * who encrypts to that many. Three lines of JSON for each: the object, its status with the key
 * Prepared, and with the key Active. */
#include "agent/sample.h"

#include <stdio.h>

#define POD "01234567-89ab-cdef-0123-456789abcdef"

static void add_status(struct sample *s, enum crds_key_state state, struct buf *b)
{
	s->keys[0].state = state;
	assert_ok("status", base_buf_addf(b, err, "\n{\"status\":{\"epoch\":1,%s\"leader\":",
				    state == CRDS_ACTIVE ? "\"activeEpoch\":1," : ""));
	assert_ok("leader", crds_leader_status_json(&s->fk.leader, b, err));
	assert_ok("status", base_buf_addf(b, err, ",\"keys\":"));
	assert_ok("keys", crds_keys_json(s->keys, 1, b, err));
	assert_ok("status", base_buf_addf(b, err, "}}"));
}

static void print_record(unsigned i)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);
	_cleanup_(sample_done) struct sample s = {0};
	char name[16];

	(void)snprintf(name, sizeof(name), "f-%u", i);
	life_begin(&s.life, i + 1, name, POD);
	s.fk = (struct crds_functionkey){.ns = STR("shop"),
		.name = base_str(name),
		.role = CRDS_LEADER,
		.revision = base_str(name),
		.function = base_str(name),
		.label_function = base_str(name),
		.label_for = base_str(name),
		.owner_api_version = STR("apps/v1"),
		.owner_kind = STR("ReplicaSet"),
		.owner_name = base_str(name),
		.owner_uid = STR(POD),
		.scheme = STR("umbral-secp256k1"),
		.keys = s.keys};
	sample_leader(&s, 1);
	s.fk.leader.since = STR("2026-01-01T00:00:00Z");
	(void)sample_key(&s, 1, 0, CRDS_PREPARED);
	assert_ok("object", crds_leader_json(&s.fk, &b, err));
	add_status(&s, CRDS_PREPARED, &b);
	add_status(&s, CRDS_ACTIVE, &b);
	(void)printf("%.*s\n", STR_FMT(base_buf_str(&b)));
}

int main(int argc, char **argv)
{
	uint64_t n = 0;

	if (argc != 2 || base_parse_u64(base_str(argv[1]), 100000, &n, NULL) < 0) {
		(void)fprintf(stderr, "usage: records_bench N\n");
		return 2;
	}
	for (unsigned i = 0; i < n; i++)
		print_record(i);
	return 0;
}
