#include "agent/room.h"

void agent_room_init(struct agent_room *room, size_t max)
{
	*room = (struct agent_room){.max = max};
	TAILQ_INIT(&room->waiting);
}

static void leave_line(struct agent_room *room, struct agent_guest *guest)
{
	if (guest->waiting)
		TAILQ_REMOVE(&room->waiting, guest, link);
	guest->waiting = false;
}

/* There may be room for more than one: who takes some, or leaves, lets the next one ask. */
static void call_next(struct agent_room *room)
{
	struct agent_guest *next = TAILQ_FIRST(&room->waiting);

	if (next && room->used < room->max)
		next->again(next->ctx);
}

bool agent_room_take(struct agent_room *room, struct agent_guest *guest, size_t n)
{
	const struct agent_guest *first = TAILQ_FIRST(&room->waiting);

	if (guest->has > 0)
		return true;
	if (room->max - room->used < n || (first && first != guest)) {
		if (!guest->waiting)
			TAILQ_INSERT_TAIL(&room->waiting, guest, link);
		guest->waiting = true;
		return false;
	}
	leave_line(room, guest);
	guest->has = n;
	room->used += n;
	call_next(room);
	return true;
}

void agent_room_leave(struct agent_room *room, struct agent_guest *guest)
{
	leave_line(room, guest);
	room->used -= guest->has;
	guest->has = 0;
	call_next(room);
}
