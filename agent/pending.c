#include "agent/pending.h"

#include "pkg/base/secret.h"
#include "pkg/http/client.h"

#define MOVE_MIN (64u << 10)

void agent_pending_taken(struct agent_pending *p, size_t n)
{
	p->at += n;
	/* Now and then, so that moving the rest costs little. */
	if (p->at == p->b.len || p->at >= MOVE_MIN) {
		base_buf_consume(&p->b, p->at);
		p->at = 0;
	}
}

void agent_pending_done(struct agent_pending *p)
{
	base_buf_wipe(&p->b);
	p->at = 0;
}

int agent_pending_flush(
	struct agent_pending *p, struct http_request *r, bool *ret_clear, struct err *err)
{
	size_t taken = 1;

	while (taken > 0 && agent_pending_len(p) > 0) {
		const struct str s = agent_pending_str(p);
		TRY(http_stream_write(r, s.p, s.n, &taken, err));
		agent_pending_taken(p, taken);
	}
	*ret_clear = agent_pending_len(p) == 0;
	return 0;
}

int agent_pending_send(
	struct agent_pending *p, bool complete, uint8_t *dst, size_t cap, size_t *ret_n)
{
	const struct str s = agent_pending_str(p);
	const size_t n = s.n < cap ? s.n : cap;

	if (n == 0)
		return complete ? 0 : HTTP_CALL_WAIT;
	memcpy(dst, s.p, n);
	agent_pending_taken(p, n);
	*ret_n = n;
	return 0;
}

int agent_pending_may_hold(struct agent_pending *p, uint64_t taken, struct agent_room *room,
	struct agent_guest *guest, bool *ret_may, struct err *err)
{
	uint8_t *unused = NULL;

	*ret_may = false;
	if (taken >= AGENT_PENDING_AHEAD || !agent_room_take(room, guest, p->b.max))
		return 0;
	/* At once, instead of growing as they come. */
	TRY(base_buf_room(&p->b, p->b.max - p->b.len, &unused, err));
	*ret_may = true;
	return 0;
}

int agent_pending_flush_held(struct agent_pending *p, struct http_request *r,
	struct agent_room *room, struct agent_guest *guest, bool *ret_clear, struct err *err)
{
	TRY(agent_pending_flush(p, r, ret_clear, err));
	if (*ret_clear && (guest->has > 0 || guest->waiting)) {
		agent_pending_done(p);
		agent_room_leave(room, guest);
	}
	return 0;
}
