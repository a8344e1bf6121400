/* Room for large messages that are held as a whole, and for what is taken of streams before it is
 * read: bounded for all of them together, in the order in which they ask. Layer: agent, pure.
 */
#ifndef AGENT_ROOM_H
#define AGENT_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define AGENT_ROOM_MAX   (16u << 20) /* bytes, for all */
#define AGENT_ROOM_SMALL (64u << 10) /* who holds no more than this needs none */

/* The caller owns it, zero but for again and ctx, until agent_room_leave. */
struct agent_guest {
	void (*again)(void *ctx); /* ask again: there may be room */
	void *ctx;
	size_t has; /* private, as the following */
	bool waiting;
	TAILQ_ENTRY(agent_guest) link;
};

struct agent_room {
	size_t max, used;
	TAILQ_HEAD(agent_guests, agent_guest) waiting;
};

/* max bytes, all free; no guest waits. */
void agent_room_init(struct agent_room *room, size_t max);

/* True: there is room of n bytes (n <= max), now or since an earlier call; the next in line may be
 * called from within. False: again is called once there may be. */
bool agent_room_take(struct agent_room *room, struct agent_guest *guest, size_t n);

/* Gives back and forgets. The next in line is called from within. */
void agent_room_leave(struct agent_room *room, struct agent_guest *guest);

#endif
