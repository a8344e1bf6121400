/* A message of every operation, each field set to something else. Tests only. */
#ifndef KMSG_SAMPLE_H
#define KMSG_SAMPLE_H

#include "pkg/kmsg/ops.h"

static inline void sample_fill(void *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(seed + 31 * i);
}

static inline void sample_name(struct kmsg_name *name, const char *text)
{
	base_assert(kmsg_name_set(name, base_str(text), NULL) == 0);
}

static inline void sample_who(struct kmsg_who *who)
{
	sample_name(&who->ns, "shop");
	sample_name(&who->revision, "orders-6c9f7d5b8");
	sample_name(&who->pod, "orders-6c9f7d5b8-m4zqh");
	sample_name(&who->pod_uid, "3f9a1c07-0000-4000-8000-000000000001");
	who->incarnation = 3;
}

static inline struct kmsg_request sample_request(enum kmsg_op op)
{
	struct kmsg_request r = {.op = op, .seq = 0xfffffff0u + (unsigned)op};

	switch (op) {
	case KMSG_INIT:
		sample_who(&r.init.who);
		break;
	case KMSG_TERM:
		r.term.term = 7;
		break;
	case KMSG_EPOCH:
		r.epoch = (struct kmsg_epoch_request){.epoch = 2, .term = 7, .previous = 1};
		break;
	case KMSG_GRANT:
		r.grant.epoch = INT64_MAX;
		r.grant.term = 1;
		sample_who(&r.grant.member);
		sample_fill(&r.grant.keys, sizeof(r.grant.keys), 5);
		break;
	case KMSG_ACCEPT:
		r.accept.epoch = 4;
		r.accept.term = 8;
		r.accept.sealed_len = 700;
		sample_fill(&r.accept.from, sizeof(r.accept.from), 9);
		sample_fill(&r.accept.verifying, sizeof(r.accept.verifying), 16);
		sample_fill(&r.accept.identity, sizeof(r.accept.identity), 17);
		sample_fill(&r.accept.signature, sizeof(r.accept.signature), 18);
		sample_fill(r.accept.sealed, r.accept.sealed_len, 19);
		break;
	case KMSG_OPEN:
		sample_fill(&r.open, sizeof(r.open), 11);
		break;
	case KMSG_ERASE:
		r.erase.epoch = 12;
		break;
	case KMSG_RECORD:
		r.record.epoch = 2;
		r.record.term = 3;
		sample_fill(&r.record.key, sizeof(r.record.key), 13);
		break;
	case KMSG_CERTIFY:
		r.certify.epoch = 2;
		r.certify.term = 3;
		r.certify.nbf = 1700000000;
		r.certify.exp = 1700086400;
		sample_name(&r.certify.cluster, "3f9a1c07-0000-4000-8000-000000000002");
		sample_name(&r.certify.function, "orders");
		sample_who(&r.certify.member);
		sample_fill(&r.certify.keys, sizeof(r.certify.keys), 20);
		break;
	case KMSG_SIGN:
		sample_fill(&r.sign, sizeof(r.sign), 21);
		r.sign.message = 1;
		break;
	case KMSG_INBOX_NEXT:
	case KMSG_INBOX_COMMIT:
	case KMSG_STATS:
	case KMSG_HELD:
	case KMSG_OP_COUNT:
		break;
	}
	return r;
}

static inline struct kmsg_reply sample_reply(enum kmsg_op op)
{
	struct kmsg_reply r = {.op = op, .seq = 77};

	switch (op) {
	case KMSG_INIT:
	case KMSG_INBOX_NEXT:
		sample_fill(&r.keys, sizeof(r.keys), 1);
		break;
	case KMSG_TERM:
		sample_fill(&r.term, sizeof(r.term), 2);
		break;
	case KMSG_EPOCH:
		sample_fill(&r.epoch.key, sizeof(r.epoch.key), 3);
		sample_fill(&r.epoch.link, sizeof(r.epoch.link), 4);
		r.epoch.has_link = 1;
		r.epoch.previous = 41;
		break;
	case KMSG_GRANT:
		r.grant.sealed_len = KMSG_SEALED_MAX;
		sample_fill(r.grant.sealed, sizeof(r.grant.sealed), 6);
		sample_fill(&r.grant.signature, sizeof(r.grant.signature), 7);
		break;
	case KMSG_OPEN:
		sample_fill(&r.open, sizeof(r.open), 8);
		break;
	case KMSG_RECORD:
		sample_fill(&r.record, sizeof(r.record), 10);
		break;
	case KMSG_STATS:
		r.stats = (struct kmsg_stats_reply){UINT64_MAX, 2, 3, 4, 5, KMSG_EPOCHS_MAX, 1, 0};
		break;
	case KMSG_HELD:
		r.held.incarnation = 2;
		sample_fill(&r.held.keys, sizeof(r.held.keys), 14);
		r.held.has_next = 1;
		sample_fill(&r.held.next_inbox, sizeof(r.held.next_inbox), 15);
		r.held.term = 9;
		r.held.epochs_len = KMSG_EPOCHS_MAX;
		for (unsigned i = 0; i < KMSG_EPOCHS_MAX; i++) {
			r.held.epochs[i].epoch = i + 1;
			r.held.epochs[i].made = i % 2;
			sample_fill(&r.held.epochs[i].key, sizeof(r.held.epochs[i].key), i);
		}
		break;
	case KMSG_CERTIFY:
		r.certify.certificate_len = 300;
		sample_fill(r.certify.certificate, r.certify.certificate_len, 22);
		break;
	case KMSG_SIGN:
		sample_fill(&r.sign, sizeof(r.sign), 23);
		break;
	case KMSG_INBOX_COMMIT:
	case KMSG_ACCEPT:
	case KMSG_ERASE:
	case KMSG_OP_COUNT:
		break;
	}
	return r;
}

#endif
