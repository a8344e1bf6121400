/* Routes for any method and any rest of a path, and trailers. */
#include "pkg/http/test_client.h"

#define ANSWER_MAX 4096

static void says(const struct served *s, const char *request, const char *want)
{
	char answer[ANSWER_MAX];
	bool end = false;
	const int fd = dial(s);

	put(fd, base_str(request));
	(void)get(fd, answer, sizeof(answer), 300, &end);
	(void)close(fd);
	if (!strstr(answer, want))
		fail_msg("%s: %s", request, answer);
}

static void test_rest(void **state)
{
	static const struct {
		const char *target, *want;
	} rows[] = {
		{"/any/x", "GET [] []\n"},
		{"/any/x/", "GET [/] []\n"},
		{"/any/x?", "GET [] ?[]\n"},
		{"/any/x/y", "GET [/y] []\n"},
		{"/any/x/y/z/?a=b%2F&c", "GET [/y/z/] ?[a=b%2F&c]\n"},
		{"/any/x/y%20z", "GET [/y%20z] []\n"},
		{"/any", "404 Not Found"},
		{"/any/", "404 Not Found"},
		{"/hello/", "404 Not Found"},
		{"/any/x//y", "400 Bad Request"},
		{"/any//", "400 Bad Request"},
		{"/any/x/../y", "400 Bad Request"},
		{"/any/x/%2e%2e", "400 Bad Request"},
		{"/any/x/a%2fb", "400 Bad Request"},
	};
	struct served s = serve_start((struct http_config){0});
	char request[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n",
			rows[i].target);
		says(&s, request, rows[i].want);
	}
	serve_stop(&s);
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT"};
	struct served s = serve_start((struct http_config){0});
	char request[256];
	char want[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		(void)snprintf(
			request, sizeof(request), "%s /any/x HTTP/1.1\r\n" HOST "\r\n", methods[i]);
		(void)snprintf(want, sizeof(want), "\r\n\r\n%s [] []\n", methods[i]);
		says(&s, request, want);
	}
	says(&s, "AMETHODTHATISLONGERTHANALLOTHERSARE /any/x HTTP/1.1\r\n" HOST "\r\n", "405 ");
	serve_stop(&s);
}

static void test_trailers(void **state)
{
	struct served s = serve_start((struct http_config){0});

	(void)state;
	says(&s,
		"POST /any/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"2\r\nhi\r\n0\r\nX-Sum: 2\r\nX-More: a b\r\n\r\n",
		"POST [] [] X-Sum=2 X-More=a b\n");
	says(&s,
		"POST /any/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"2\r\nhi\r\n0\r\n\r\n",
		"POST [] []\n");
	serve_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
