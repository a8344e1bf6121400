/* Splits a stream of bytes into JSON documents: events of a watch, items of a LIST. Layer: kube,
 * pure.
 *
 * A document is handed over when its braces close; a LIST is never held. Nothing is checked but
 * nesting, strings and the commas between items: the reader of the document does the rest
 * (kube/json.h). Documents that lie wholly inside one piece of the stream are not copied. Held at
 * most: one document of KUBE_JSON_MAX, and KUBE_FRAME_HEAD_MAX of what stands around the items.
 *
 *	kube_frame_feed(&f, p, n);
 *	for (bool more = true; more;) {
 *		TRY(kube_frame_next(&f, &doc, &more, err));
 *		if (more)
 *			... doc ...
 *	}
 */
#ifndef KUBE_FRAME_H
#define KUBE_FRAME_H

#include "pkg/base/buf.h"
#include "pkg/kube/json.h"

#define KUBE_FRAME_HEAD_MAX (64u << 10)

enum kube_frame_form {
	KUBE_FRAME_EVENTS, /* {"type": …, "object": {…}} one after the other */
	KUBE_FRAME_LIST,   /* one {"metadata": …, "items": [{…}, …]} */
};

/* One document. Slices are borrowed until the next call on the frame. */
struct kube_frame_doc {
	/* EVENTS: the event with `null` for the object. LIST: empty with an item; comes once at the
	 * end, with no object: the list without its items. */
	struct str head;
	struct str object; /* empty: none (an event of another form, the end of a list) */
};

/* Where in the stream we are. */
enum kube_frame_part {
	KUBE_FRAME_HEAD,   /* around the payload */
	KUBE_FRAME_OBJECT, /* in the payload */
	KUBE_FRAME_FIRST,  /* in the list: an item or the end */
	KUBE_FRAME_COMMA,  /* a comma or the end */
	KUBE_FRAME_ITEM,   /* an item */
};

/* Its fields are the frame's own. */
struct kube_frame {
	enum kube_frame_form form;
	enum kube_frame_part part;
	struct str in;   /* borrowed: the piece in hand */
	size_t at, from; /* in it: looked at up to here; not taken over from here on */
	struct buf rest; /* the begin of the object, from earlier pieces */
	struct buf head;
	struct str object; /* whole, and its event is not yet */
	size_t key_at;     /* in head: the key at level 1 that is being read */
	uint32_t depth;
	bool in_string, escaped, in_key;
	bool want_key; /* the next string at level 1 is a key */
	bool wanted;   /* that key announced the payload */
	bool given;    /* the document in hand was handed over */
	bool ended;    /* of a LIST */
	bool failed;
};

/* Fills *f without memory of its own yet; kube_frame_done frees. */
void kube_frame_init(struct kube_frame *f, enum kube_frame_form form);

/* Frees, and is then as after init. NULL-safe, repeatable. */
void kube_frame_done(struct kube_frame *f);
CLEANUP_DONE(struct kube_frame, kube_frame_done);

/* Forgets the document in hand: a new stream begins. Memory is kept. */
void kube_frame_clear(struct kube_frame *f, enum kube_frame_form form);

/* The next piece of the stream; borrowed until kube_frame_next says that there is no more, and
 * fed only then. */
void kube_frame_feed(struct kube_frame *f, const void *p, size_t n);

/* *ret_more: there is a document in *ret_doc; false: feed more. INVALID: braces that do not match,
 * anything but objects; TOO_LARGE; NOMEM. */
int kube_frame_next(struct kube_frame *f, struct kube_frame_doc *ret_doc, bool *ret_more,
	struct err *err) must_check;

/* The stream is over. INVALID: in the middle of a document, or a LIST that did not come. */
int kube_frame_end(const struct kube_frame *f, struct err *err) must_check;

/* What the head of a LIST says. Slices of head; continue_token is unescaped only by being free of
 * escapes (it is base64url), others are INVALID. */
struct kube_list_head {
	struct str kind, rv, continue_token;
};
int kube_list_head_read(struct str head, struct kube_list_head *ret_head, struct err *err)
	must_check;

#endif
