/* pre-vectors: checks files of Umbral test vectors, and makes one. */
#include "pkg/pre/vectors/vectors.h"

static int usage(FILE *to, int status)
{
	(void)fprintf(to,
		"usage: pre-vectors [--replay] FILE...\n"
		"       pre-vectors --make\n"
		"Checks files of Umbral test vectors (schema umbral-kat/1) and ends with\n"
		"\"N passed, N failed\". Exits with 1 if a case failed or a file is no such file.\n"
		"  --replay  only replay recorded randomness, byte for byte\n"
		"  --make    write a file of new cases to standard output\n");
	return status;
}

int main(int argc, char **argv)
{
	_cleanup_(vectors_free) struct vectors *v = NULL;
	struct err err = {0};
	unsigned unreadable = 0;
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	const bool replay = argc > 1 && strcmp(argv[1], "--replay") == 0;
	const bool make = argc == 2 && strcmp(argv[1], "--make") == 0;
	first += replay;
	if (!make && (first >= argc || argv[first][0] == '-'))
		return usage(stderr, 2);
	if (vectors_new(replay, stdout, &v, &err) < 0 ||
		(make && vectors_make(v, stdout, &err) < 0)) {
		(void)fprintf(stderr, "pre-vectors: %s\n", err.msg);
		return 1;
	}
	if (make)
		return 0;
	for (int i = first; i < argc; i++) {
		if (vectors_file(v, argv[i], &err) == 0)
			continue;
		unreadable++;
		(void)fprintf(stderr, "pre-vectors: %s\n", err.msg);
	}
	printf("%u passed, %u failed\n", v->passed, v->failed + unreadable);
	return v->failed + unreadable > 0;
}
