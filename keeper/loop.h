/* Serves requests from a socket until its other end is gone. Layer: keeper.
 *
 * Reads all that has come, then does the most urgent one, then looks again: one operation takes
 * well under 2 ms, so that nothing urgent waits longer for what is being done. Uses read, write
 * and poll only, so that the sandbox needs to allow no others.
 */
#ifndef KEEPER_LOOP_H
#define KEEPER_LOOP_H

#include "keeper/core.h"

/* What a keeper's process ends with. */
enum keeper_exit {
	KEEPER_EXIT_GONE = 0,      /* end of file: nobody can ask any more */
	KEEPER_EXIT_FAILED = 1,    /* something of the system failed */
	KEEPER_EXIT_MALFORMED = 2, /* the peer sent what no network half sends */
};

/* fd is one end of a SOCK_SEQPACKET pair, with O_NONBLOCK. Does not wipe k: the caller frees it. */
enum keeper_exit keeper_serve(struct keeper *k, int fd);

#endif
