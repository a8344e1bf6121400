/* The other direction of libfunctionkey: seals a message to a key of its own, opens it again,
 * leaves the envelope in a file, and prints the secret key, which only a test may do.
 *
 * usage: roundtrip ENVELOPE
 */
#include <functionkey.h>
#include <stdio.h>
#include <string.h>

static int print_secret(const struct functionkey_key *key)
{
	uint8_t secret[FUNCTIONKEY_SECRET_LEN];

	functionkey_key_secret(key, secret);
	for (size_t i = 0; i < sizeof(secret); i++)
		printf("%02x", secret[i]);
	return printf("\n") < 0;
}

static int keep(const char *path, const void *envelope, size_t n)
{
	FILE *file = fopen(path, "wb");

	if (!file)
		return -1;
	const size_t written = fwrite(envelope, 1, n, file);
	return fclose(file) != 0 || written != n;
}

static int round_trip(const char *path, struct functionkey_sender *sender,
	struct functionkey_key *key, struct functionkey_error *why)
{
	struct functionkey_options options = {.size = sizeof(options), .media_type = "text/plain"};
	struct functionkey_info info = {.size = sizeof(info)};
	uint8_t public_key[FUNCTIONKEY_KEY_LEN];
	void *envelope = NULL, *plaintext = NULL;
	size_t n = 0, m = 0;

	functionkey_key_public(key, public_key);
	int status = functionkey_sender_key(sender, "own-1", 7, public_key, why);
	if (!status)
		status = functionkey_seal(sender, &options, "hello", 5, &envelope, &n, why);
	if (!status)
		status = functionkey_open(key, envelope, n, &plaintext, &m, &info, why);
	if (!status && (m != 5 || memcmp(plaintext, "hello", 5) != 0 || info.epoch != 7 ||
			       strcmp(info.name, "shop/own-1") != 0))
		status = FUNCTIONKEY_E_INTERNAL;
	if (!status)
		status = keep(path, envelope, n);
	functionkey_free(envelope);
	functionkey_free(plaintext);
	return status;
}

int main(int argc, char **argv)
{
	struct functionkey_error why = {""};
	struct functionkey_sender *sender = NULL;
	struct functionkey_key *key = NULL;
	int status = argc == 2 ? functionkey_key_new(&key, &why) : FUNCTIONKEY_E_INVALID;

	if (!status)
		status = functionkey_sender_new("shop", "billing", &sender, &why);
	if (!status)
		status = round_trip(argv[1], sender, key, &why);
	if (!status)
		status = print_secret(key);
	functionkey_sender_free(sender);
	functionkey_key_free(key);
	if (status)
		fprintf(stderr, "%d: %s\n", status, why.message);
	return status != 0;
}
