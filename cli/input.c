#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int cli_input_open(const struct cli_options *o, int *ret_fd, struct err *err)
{
	const char *name = o->names_len ? o->names[0] : "-";

	*ret_fd = STDIN_FILENO;
	if (strcmp(name, "-") == 0)
		return 0;
	*ret_fd = open(name, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? FAIL(err, ERR_INVALID, "%s: %m", name) : 0;
}

int cli_input_read(int in, struct buf *b, size_t n, bool *ret_more, struct err *err)
{
	uint8_t *to = NULL;
	ssize_t got = -1;

	TRY(base_buf_room(b, n, &to, err));
	do
		got = read(in, to, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return FAIL(err, ERR_TERMINAL, "input: %m");
	base_buf_added(b, (size_t)got);
	*ret_more = got > 0;
	return 0;
}

int cli_output_write(struct str s, struct err *err)
{
	while (s.n) {
		const ssize_t n = write(STDOUT_FILENO, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FAIL(err, ERR_TERMINAL, "standard output: %m");
		s = base_str_sub(s, (size_t)n, s.n);
	}
	return 0;
}
