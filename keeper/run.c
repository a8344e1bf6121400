#include "keeper/run.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include "keeper/sandbox.h"

static int check_socket(int fd, struct err *err)
{
	int type = 0;
	socklen_t n = sizeof(type);
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
		type != SOCK_SEQPACKET)
		return FAIL(err, ERR_INVALID, "descriptor %d is no SOCK_SEQPACKET socket: %s", fd,
			"a keeper is started by its agent");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return FAIL(err, ERR_TERMINAL, "cannot set O_NONBLOCK: errno %d", errno);
	return 0;
}

static int start(int fd, const struct env *env, struct keeper **ret_keeper, struct err *err)
{
	_cleanup_(keeper_free) struct keeper *k = NULL;
	bool sandboxed = false;

	TRY(check_socket(fd, err));
	TRY(keeper_sandbox_prepare(fd, err));
	/* Without the texts of its errors, which nobody reads here: 50 KiB. */
	if (OPENSSL_init_crypto(
		    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL) != 1)
		return FAIL(err, ERR_TERMINAL, "cannot start OpenSSL");
	TRY(keeper_new(env, &k, err));
	TRY(keeper_sandbox_enter(fd, &sandboxed, err));
	keeper_set_sandboxed(k, sandboxed);
	*ret_keeper = STEAL(k);
	return 0;
}

enum keeper_exit keeper_run(int fd)
{
	const struct env env = base_env_system();
	_cleanup_(keeper_free) struct keeper *k = NULL;
	struct err err = {0};

	if (start(fd, &env, &k, &err) < 0) {
		(void)fprintf(stderr, "functionkey-keeper: %s\n", err.msg);
		return KEEPER_EXIT_FAILED;
	}
	return keeper_serve(k, fd);
}
