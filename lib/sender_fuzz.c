/* Documents of records, as a caller fetched them from anywhere. What is taken can be sealed to. */
#include "lib/functionkey.h"
#include "pkg/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct functionkey_error why = {""};
	struct functionkey_sender *s = NULL;
	void *envelope = NULL;
	size_t len = 0;

	if (functionkey_sender_new("shop", "billing", &s, &why))
		return 0;
	const int status = functionkey_sender_records(s, (const char *)data, n, 0, &why);
	const size_t recipients = functionkey_sender_recipients(s);
	base_assert((status == FUNCTIONKEY_OK) == (recipients > 0));
	base_assert(status == FUNCTIONKEY_OK || why.message[0] != 0);
	if (recipients > 0)
		base_assert(functionkey_seal(s, NULL, data, n, &envelope, &len, &why) ==
				    FUNCTIONKEY_OK ||
			    n > FUNCTIONKEY_MESSAGE_MAX);
	functionkey_free(envelope);
	functionkey_sender_free(s);
	return 0;
}
