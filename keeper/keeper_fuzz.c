/* A hostile network half: packets of any bytes, one after the other, to a keeper that leads. Each
 * begins with its length; those that a keeper refuses to decode end a real keeper's process. */
#include "keeper/core.h"
#include "keeper/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kmsg_reply ask(struct keeper *k, const struct kmsg_request *request)
{
	struct kmsg_reply reply, again;
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 0;

	keeper_handle(k, request, &reply);
	base_assert(reply.op == request->op && reply.seq == request->seq);
	base_assert(kmsg_reply_encode(&reply, packet, &n, NULL) == 0);
	base_assert(kmsg_reply_decode(packet, n, &again, NULL) == 0);
	return reply;
}

static void name(struct kmsg_name *n)
{
	base_assert(kmsg_name_set(n, STR("a"), NULL) == 0);
}

static void lead(struct keeper *k)
{
	struct kmsg_request r = {.op = KMSG_INIT, .init.who.incarnation = 1};

	name(&r.init.who.ns);
	name(&r.init.who.revision);
	name(&r.init.who.pod);
	name(&r.init.who.pod_uid);
	base_assert(ask(k, &r).status == ERR_OK);
	r = (struct kmsg_request){.op = KMSG_TERM, .term.term = 1};
	base_assert(ask(k, &r).status == ERR_OK);
	r = (struct kmsg_request){.op = KMSG_EPOCH, .epoch = {.epoch = 1, .term = 1}};
	base_assert(ask(k, &r).status == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_fake fake = {.seed = 1};
	const struct env env = base_env_fake(&fake);
	_cleanup_(keeper_free) struct keeper *k = NULL;
	_cleanup_(keeper_queue_done) struct keeper_queue q = {0};
	const struct kmsg_request *request;

	base_assert(keeper_new(&env, &k, NULL) == 0);
	base_assert(keeper_queue_init(&q, NULL) == 0);
	lead(k);
	while (size >= 2 && !keeper_queue_full(&q)) {
		size_t n = (size_t)data[0] << 8 | data[1];
		n = n > size - 2 ? size - 2 : n;
		if (keeper_queue_put(&q, data + 2, n, NULL) < 0)
			break;
		data += 2 + n;
		size -= 2 + n;
	}
	while ((request = keeper_queue_take(&q))) {
		const struct kmsg_reply reply = ask(k, request);
		/* Nobody here has a key of its own to be granted something for, or a capsule; and
		 * the pod's UID is none. */
		base_assert(
			reply.status || (reply.op != KMSG_GRANT && reply.op != KMSG_ACCEPT &&
						reply.op != KMSG_OPEN && reply.op != KMSG_CERTIFY));
	}
	return 0;
}
