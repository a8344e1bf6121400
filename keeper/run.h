/* The keeper's process, from its start to its end. Layer: keeper. */
#ifndef KEEPER_RUN_H
#define KEEPER_RUN_H

#include "keeper/loop.h"

/* Shuts the process in and serves the socket `fd` (see sandbox.h, loop.h). What keeps it from
 * starting is told on standard error. All secrets are wiped when it returns. */
enum keeper_exit keeper_run(int fd);

#endif
