#include "pkg/kube/frame.h"

static int read_meta(struct kube_json *r, struct kube_list_head *h, struct err *err)
{
	struct str key;
	bool more = false, null = false;

	TRY(kube_json_object_begin(r, err));
	for (;;) {
		TRY(kube_json_next_key(r, &key, &more, err));
		if (!more)
			return 0;
		struct str *to = base_str_eq(key, STR("resourceVersion")) ? &h->rv
				 : base_str_eq(key, STR("continue"))      ? &h->continue_token
									  : NULL;
		TRY(kube_json_null(r, &null, err));
		if (null)
			continue;
		if (to)
			TRY(kube_json_string(r, NULL, to, err));
		else
			TRY(kube_json_skip(r, err));
	}
}

int kube_list_head_read(struct str head, struct kube_list_head *ret_head, struct err *err)
{
	struct kube_list_head h = {.kind = STR_NULL};
	struct kube_json r;
	struct str key;
	bool more = false;

	TRY(kube_json_init(&r, head, err));
	TRY(kube_json_object_begin(&r, err));
	for (;;) {
		TRY(kube_json_next_key(&r, &key, &more, err));
		if (!more)
			break;
		if (base_str_eq(key, STR("kind")))
			TRY(kube_json_string(&r, NULL, &h.kind, err));
		else if (base_str_eq(key, STR("metadata")))
			TRY(read_meta(&r, &h, err));
		else
			TRY(kube_json_skip(&r, err));
	}
	TRY(kube_json_end(&r, err));
	*ret_head = h;
	return 0;
}
