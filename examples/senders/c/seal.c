/* Seals standard input to a function, as a stream of any length, with libfunctionkey.
 *
 * usage: seal NAMESPACE FUNCTION RECORDS.json [MEDIA-TYPE] <message >envelope
 *
 *	cc -o seal seal.c $(pkg-config --cflags --libs functionkey)
 *	kubectl get functionkeys -n NAMESPACE \
 *		-l functionkey.dev/function=FUNCTION,functionkey.dev/role=leader -o json
 *>RECORDS.json
 */
#include <functionkey.h>
#include <stdio.h>
#include <string.h>

static int write_out(void *ctx, const void *p, size_t n)
{
	return fwrite(p, 1, n, (FILE *)ctx) == n ? 0 : -1;
}

static int read_records(
	const char *path, struct functionkey_sender *sender, struct functionkey_error *why)
{
	static char json[FUNCTIONKEY_RECORDS_MAX];
	FILE *file = fopen(path, "rb");

	if (!file) {
		snprintf(why->message, sizeof(why->message), "%s cannot be read", path);
		return FUNCTIONKEY_E_INVALID;
	}
	const size_t n = fread(json, 1, sizeof(json), file);
	fclose(file);
	return functionkey_sender_records(sender, json, n, 0, why);
}

static int seal_stdin(struct functionkey_stream *stream, struct functionkey_error *why)
{
	char chunk[65536];
	size_t n = 0;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		const int status = functionkey_stream_add(stream, chunk, n, why);
		if (status)
			return status;
	}
	return functionkey_stream_end(stream, why);
}

int main(int argc, char **argv)
{
	struct functionkey_options options = {.size = sizeof(options)};
	struct functionkey_error why = {""};
	struct functionkey_sender *sender = NULL;
	struct functionkey_stream *stream = NULL;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: seal NAMESPACE FUNCTION RECORDS.json [MEDIA-TYPE]\n");
		return 2;
	}
	options.media_type = argc == 5 ? argv[4] : NULL;
	int status = functionkey_sender_new(argv[1], argv[2], &sender, &why);
	if (!status)
		status = read_records(argv[3], sender, &why);
	if (!status)
		status = functionkey_seal_begin(sender, &options, write_out, stdout, &stream, &why);
	if (!status)
		status = seal_stdin(stream, &why);
	functionkey_stream_free(stream);
	functionkey_sender_free(sender);
	if (status)
		fprintf(stderr, "seal: %s\n", why.message);
	return status ? 1 : fflush(stdout) != 0;
}
