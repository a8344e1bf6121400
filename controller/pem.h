/* Reading PEM texts from memory, as the webhook's certificates come. Layer: controller (libcrypto).
 */
#ifndef CONTROLLER_PEM_H
#define CONTROLLER_PEM_H

#include <openssl/bio.h>

#include "pkg/base/cleanup.h"

/* _cleanup_(controller_bio_done) BIO *bio */
static inline void controller_bio_done(BIO **bio)
{
	BIO_free(*bio);
}
CLEANUP_DONE(BIO *, controller_bio_done);

/* For PEM_read_bio_*: a key that wants a passphrase is refused, nobody is asked on a terminal. */
static inline int controller_no_passphrase(char *dst, int size, int for_writing, void *ctx)
{
	(void)dst;
	(void)size;
	(void)for_writing;
	(void)ctx;
	return -1;
}

#endif
