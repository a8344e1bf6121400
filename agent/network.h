/* The network half: puts the parts together, runs the loop, takes them apart. Layer: agent.
 *
 * Its keeper is at descriptor KMSG_FD. It ends when the keeper is gone (the supervisor then starts
 * both anew) or on SIGTERM, after it has handed the leadership over.
 */
#ifndef AGENT_NETWORK_H
#define AGENT_NETWORK_H

/* Reads its options and runs until it shall end; returns the exit status. */
int agent_network_run(int argc, char **argv);

#endif
