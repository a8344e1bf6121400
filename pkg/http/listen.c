#include "pkg/base/listen.h"
#include "pkg/http/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static void fd_done(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
CLEANUP_DONE(int, fd_done);

static enum err_class class_of(int errnum)
{
	return errnum == EACCES || errnum == EPERM || errnum == EROFS ? ERR_DENIED : ERR_TERMINAL;
}

static int new_socket(int family, int *ret_fd, struct err *err)
{
	const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return FAIL(err, ERR_TERMINAL, "no socket: %s", strerrordesc_np(errno));
	*ret_fd = fd;
	return 0;
}

static int unix_address(
	const char *path, const char *suffix, struct sockaddr_un *a, struct err *err)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	const int n = snprintf(a->sun_path, sizeof(a->sun_path), "%s%s", path, suffix);
	if (n <= 0 || (size_t)n >= sizeof(a->sun_path))
		return FAIL(err, ERR_INVALID, "path of a socket: '%s' has more than %zu bytes",
			path, sizeof(a->sun_path) - 1 - strlen(suffix));
	return 0;
}

/* Whether somebody listens there. What cannot be asked is taken as nobody: a stale socket. */
static int refuse_if_served(const char *path, struct err *err)
{
	_cleanup_(fd_done) int fd = -1;
	struct sockaddr_un a;
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return FAIL(err, ERR_EXISTS, "%s is there and is no socket", path);
	TRY(unix_address(path, "", &a, err));
	TRY(new_socket(AF_UNIX, &fd, err));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN)
		return FAIL(err, ERR_EXISTS, "another server listens on %s", path);
	return 0;
}

/* Made under another name and then renamed, so that the path is at no time missing or wider open
 * than it shall be. */
static int listen_unix(
	const struct http_config *config, int *ret_fd, uint64_t *ret_ino, struct err *err)
{
	_cleanup_(fd_done) int fd = -1;
	struct sockaddr_un a;
	struct stat st;

	TRY(refuse_if_served(config->unix_path, err));
	TRY(unix_address(config->unix_path, ".new", &a, err));
	TRY(new_socket(AF_UNIX, &fd, err));
	(void)unlink(a.sun_path);
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		chmod(a.sun_path, config->unix_mode & 0777) < 0 || listen(fd, BACKLOG) < 0 ||
		stat(a.sun_path, &st) < 0 || rename(a.sun_path, config->unix_path) < 0)
		return FAIL(err, class_of(errno), "cannot listen on %s: %s", config->unix_path,
			strerrordesc_np(errno));
	*ret_ino = st.st_ino;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int tcp_address(
	const struct http_config *config, struct sockaddr_storage *a, struct err *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, config->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(config->port);
		return 0;
	}
	if (inet_pton(AF_INET6, config->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(config->port);
		return 0;
	}
	return FAIL(err, ERR_INVALID, "'%.60s' is not an IP address", config->address);
}

static int listen_tcp(const struct http_config *config, int *ret_fd, struct err *err)
{
	struct sockaddr_storage a;

	TRY(tcp_address(config, &a, err));
	const int r = base_listen(&a, BACKLOG, ret_fd, err);
	if (r < 0)
		base_err_wrap(err, "%s port %u", config->address, (unsigned)config->port);
	return r;
}

static int adopt(int fd, int *ret_fd, struct err *err)
{
	int listens = 0;
	socklen_t n = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return FAIL(err, ERR_INVALID, "descriptor %d is no socket that listens", fd);
	*ret_fd = fd;
	return 0;
}

int http_listen(const struct http_config *config, int *ret_fd, uint64_t *ret_ino, struct err *err)
{
	if (config->unix_path)
		return listen_unix(config, ret_fd, ret_ino, err);
	*ret_ino = 0;
	if (config->listen_fd > 0)
		return adopt(config->listen_fd, ret_fd, err);
	return listen_tcp(config, ret_fd, err);
}

void http_unlisten(const struct http_config *config, uint64_t ino)
{
	struct stat st;

	if (config->unix_path && stat(config->unix_path, &st) == 0 && st.st_ino == ino)
		(void)unlink(config->unix_path);
}

uint16_t http_server_port(const struct http_server *s)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);

	if (getsockname(s->listen_fd, (struct sockaddr *)&a, &n) < 0)
		return 0;
	if (a.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a)->sin_port);
	return a.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&a)->sin6_port) : 0;
}
