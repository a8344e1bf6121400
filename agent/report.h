/* What a function is told of the sender of a message, as header fields. Layer: agent, pure.
 *
 * Functionkey-Sender is there only if the sender was verified. Who looks at no other field cannot
 * be deceived by a certificate that somebody issued to himself.
 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include "agent/senders.h"

/* Texts of cert are borrowed from the opening. */
struct agent_sender {
	enum envelope_sender_level stated; /* by the header */
	bool named;                        /* there is a certificate, which signed the message */
	enum agent_vouched vouched;        /* meaningful if named */
	enum envelope_sender_level level;  /* verified; NONE unless named and vouched for */
	struct envelope_sender_cert cert;
};

/* Calls add for each field. Its errors. */
struct agent_report {
	int (*add)(void *ctx, const char *name, struct str value, struct err *err);
	void *ctx;
};
int agent_report_sender(
	const struct agent_sender *s, const struct agent_report *to, struct err *err) must_check;

/* Of streams at level message: what is known at their end only, as a trailer field. */
#define AGENT_REPORT_LEVEL "Functionkey-Sender-Level"

/* The words of options, parameters and fields: "none", "origin", "message"; ends with NULL. By
 * level. */
extern const char *const agent_sender_levels[];

/* "verified", or why not. */
extern const char *const agent_vouched_names[AGENT_VOUCH_COUNT + 1];

/* "3f9a1c07-…": a pod's UID as people write it. */
void agent_uid_text(
	const uint8_t uid[static ENVELOPE_CERT_UID_LEN], char dst[static CRDS_UID_LEN + 1]);

#endif
