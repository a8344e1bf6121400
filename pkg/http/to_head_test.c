#include "pkg/http/test_client.h"

/* No byte of a body follows, so that the next answer on the connection is read as one. */
static void test_answers_to_head(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	const int fd = dial(&s);
	char out[65536];
	bool end = false;

	(void)state;
	for (int i = 0; i < 3; i++)
		put(fd, STR("HEAD /head/known HTTP/1.1\r\n" HOST "\r\n"
			    "HEAD /head/none HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
			    "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(fd, out, sizeof(out), 500, &end);
	assert_false(end);
	const char *at = out;
	for (int i = 0; i < 9; i++) {
		assert_int_equal(
			strncmp(at, i % 3 == 1 ? "HTTP/1.1 204 " : "HTTP/1.1 200 ", 13), 0);
		const char *after = strstr(at, "\r\n\r\n");
		assert_non_null(after);
		const char *length = strstr(at, "Content-Length: ");
		if (i % 3 == 0)
			assert_int_equal(strncmp(length, "Content-Length: 1000000\r\n", 25), 0);
		else if (i % 3 == 1)
			assert_true(!length || length > after);
		at = after + 4 + (i % 3 == 2 ? strlen("hello\n") : 0);
	}
	assert_int_equal(*at, 0);
	(void)close(fd);
	/* Where nothing says how long it is, or the request's body still comes, it closes. */
	static const char *const closing[] = {"unknown HTTP/1.1\r\n" HOST "\r\n",
		"early HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na"};
	for (size_t i = 0; i < ARRAY_LEN(closing); i++) {
		const int once = dial(&s);
		put(once, STR("HEAD /head/"));
		put(once, base_str(closing[i]));
		(void)get(once, out, sizeof(out), 1000, &end);
		assert_int_equal(strncmp(out, "HTTP/1.1 200 OK\r\n", 17), 0);
		assert_null(strstr(out, "Content-Length"));
		assert_null(strstr(out, "chunked"));
		assert_non_null(strstr(out, "Connection: close\r\n"));
		assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
		(void)close(once);
	}
	/* Who is asked by another method has a body to send: that is a fault of the handler. */
	const int other = dial(&s);
	put(other, STR("GET /head/known HTTP/1.1\r\n" HOST "\r\n"));
	assert_int_equal(get(other, out, sizeof(out), 1000, &end), 0);
	assert_true(end);
	(void)close(other);
	serve_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_to_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
