#include "pkg/kube/frame.h"

#include "pkg/kube/json_impl.h"

#define REST_KEPT (256u << 10) /* memory that stays with an idle frame */

void kube_frame_init(struct kube_frame *f, enum kube_frame_form form)
{
	*f = (struct kube_frame){
		.form = form,
		.rest = base_buf(KUBE_JSON_MAX),
		.head = base_buf(KUBE_FRAME_HEAD_MAX),
	};
}

void kube_frame_done(struct kube_frame *f)
{
	if (!f)
		return;
	base_buf_done(&f->rest);
	base_buf_done(&f->head);
	kube_frame_init(f, f->form);
}

static void forget(struct buf *b)
{
	base_buf_clear(b);
	if (b->cap > REST_KEPT)
		base_buf_done(b);
}

void kube_frame_clear(struct kube_frame *f, enum kube_frame_form form)
{
	struct buf rest = f->rest, head = f->head;

	forget(&rest);
	forget(&head);
	*f = (struct kube_frame){.form = form, .rest = rest, .head = head};
}

void kube_frame_feed(struct kube_frame *f, const void *p, size_t n)
{
	f->in = base_str_n(p, n);
	f->at = f->from = 0;
}

static int bad(const char *what, struct err *err)
{
	return FAIL(err, ERR_INVALID, "stream: %s", what);
}

/* Takes what was looked at, up to `to`, over into a buffer. */
static int take(struct kube_frame *f, struct buf *b, size_t to, struct err *err)
{
	if (to > f->from)
		TRY(base_buf_add(b, f->in.p + f->from, to - f->from, err));
	f->from = to;
	return 0;
}

/* Behind the quote that ends the string, or to the end of the piece. */
static void pass_string(struct kube_frame *f)
{
	const char *p = f->in.p;
	const size_t n = f->in.n;
	size_t i = f->at;

	if (f->escaped && i < n) {
		f->escaped = false;
		i++;
	}
	while (i < n) {
		if (i + 8 <= n) {
			const uint64_t w = kube_json_word(p + i);
			const uint64_t hit = kube_json_equal(w, '"') | kube_json_equal(w, '\\');
			if (!hit) {
				i += 8;
				continue;
			}
			i += (size_t)__builtin_ctzll(hit) / 8;
		}
		if (p[i] == '"') {
			f->in_string = false;
			i++;
			break;
		}
		if (p[i++] != '\\')
			continue;
		if (i == n)
			f->escaped = true;
		else
			i++;
	}
	f->at = i;
}

static int deeper(struct kube_frame *f, struct err *err)
{
	if (f->depth == KUBE_JSON_DEPTH_MAX)
		return FAIL(err, ERR_TOO_LARGE, "stream: deeper than %d", KUBE_JSON_DEPTH_MAX);
	f->depth++;
	return 0;
}

/* Depth at which the payload is whole. */
static uint32_t base_depth(const struct kube_frame *f)
{
	return f->form == KUBE_FRAME_LIST ? 2 : 1;
}

#ifdef __SSE2__
/* Bit i: an odd number of the bits 0 to i is set. */
static uint64_t parity_so_far(uint64_t bits)
{
	for (unsigned by = 1; by < 64; by *= 2)
		bits ^= bits << by;
	return bits;
}

/* Bit i: byte i stands behind a backslash that counts. *escaped: so does the first byte; then the
 * same of the next block. */
static uint64_t behind_backslash(uint64_t backslashes, bool *escaped)
{
	uint64_t behind = *escaped;
	uint64_t left = backslashes & ~behind;

	for (*escaped = false; left;) {
		const uint64_t one = left & -left;
		behind |= one << 1;
		*escaped = one << 1 == 0;
		left &= ~(one | one << 1);
	}
	return behind;
}

/* Whole blocks, but those with a backslash outside of a string, which is no JSON. */
static int pass_blocks(struct kube_frame *f, bool *ret_whole, struct err *err)
{
	while (f->in.n - f->at >= KUBE_JSON_BLOCK) {
		const char *p = f->in.p + f->at;
		bool escaped = f->escaped;
		const uint64_t backslashes = kube_json_bits(p, '\\', 0);
		const uint64_t quotes =
			kube_json_bits(p, '"', 0) & ~behind_backslash(backslashes, &escaped);
		const uint64_t inside = parity_so_far(quotes) ^ (f->in_string ? UINT64_MAX : 0);
		if (backslashes & ~inside)
			return 0;
		f->escaped = false;
		/* A bracket is its brace without this bit. */
		const uint64_t open = kube_json_bits(p, '{', 0x20) & ~inside;
		uint64_t both = open | (kube_json_bits(p, '}', 0x20) & ~inside);
		for (; both; both &= both - 1) {
			const unsigned i = (unsigned)__builtin_ctzll(both);
			if (open >> i & 1) {
				TRY(deeper(f, err));
			} else if (--f->depth == base_depth(f)) {
				f->at += i + 1;
				f->in_string = false;
				*ret_whole = true;
				return 0;
			}
		}
		f->in_string = inside >> 63;
		f->escaped = escaped;
		f->at += KUBE_JSON_BLOCK;
	}
	return 0;
}
#else
static int pass_blocks(struct kube_frame *f, bool *ret_whole, struct err *err)
{
	(void)f;
	(void)ret_whole;
	(void)err;
	return 0;
}
#endif

/* In the payload only braces and strings count. *ret_whole: its last brace has come. */
static int pass_object(struct kube_frame *f, bool *ret_whole, struct err *err)
{
	*ret_whole = false;
	while (f->at < f->in.n) {
		TRY(pass_blocks(f, ret_whole, err));
		if (*ret_whole || f->at == f->in.n)
			return 0;
		if (f->in_string) {
			pass_string(f);
			continue;
		}
		switch (f->in.p[f->at++]) {
		case '"':
			f->in_string = true;
			break;
		case '{':
		case '[':
			TRY(deeper(f, err));
			break;
		case '}':
		case ']':
			if (--f->depth == base_depth(f)) {
				*ret_whole = true;
				return 0;
			}
			break;
		default:
			break;
		}
	}
	return 0;
}

static int object_whole(
	struct kube_frame *f, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	if (f->rest.len > 0) {
		TRY(take(f, &f->rest, f->at, err));
		f->object = base_buf_str(&f->rest);
	} else {
		f->object = base_str_n(f->in.p + f->from, f->at - f->from);
		f->from = f->at;
	}
	if (f->form == KUBE_FRAME_EVENTS) {
		f->part = KUBE_FRAME_HEAD;
		return 0;
	}
	f->part = KUBE_FRAME_COMMA;
	*doc = (struct kube_frame_doc){.object = f->object};
	*ret_more = f->given = true;
	return 0;
}

/* A value begins that the key at level 1 announced as the payload. */
static int payload(struct kube_frame *f, struct err *err)
{
	if (f->form == KUBE_FRAME_LIST) {
		f->part = KUBE_FRAME_FIRST;
		return take(f, &f->head, f->at, err);
	}
	if (f->object.n > 0)
		return bad("an event with two objects", err);
	TRY(take(f, &f->head, f->at - 1, err));
	f->part = KUBE_FRAME_OBJECT;
	return base_buf_add_str(&f->head, STR("null"), err);
}

static int head_open(struct kube_frame *f, char c, struct err *err)
{
	if (f->depth == 0) {
		if (c != '{' || f->ended)
			return bad("not an object", err);
		f->from = f->at - 1;
		f->want_key = true;
	}
	TRY(deeper(f, err));
	if (f->depth == 2 && f->wanted && c == (f->form == KUBE_FRAME_LIST ? '[' : '{'))
		return payload(f, err);
	return 0;
}

static int head_close(
	struct kube_frame *f, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	if (f->depth == 0)
		return bad("a brace too many", err);
	if (--f->depth > 0)
		return 0;
	TRY(take(f, &f->head, f->at, err));
	*doc = (struct kube_frame_doc){.head = base_buf_str(&f->head), .object = f->object};
	f->ended = f->form == KUBE_FRAME_LIST;
	*ret_more = f->given = true;
	return 0;
}

/* The string at level 1 that was a key has ended. */
static int key_whole(struct kube_frame *f, struct err *err)
{
	const struct str want = f->form == KUBE_FRAME_LIST ? STR("items") : STR("object");

	f->in_key = false;
	TRY(take(f, &f->head, f->at, err));
	f->wanted =
		base_str_eq(base_str_sub(base_buf_str(&f->head), f->key_at, f->head.len - 1), want);
	return 0;
}

static int head_byte(
	struct kube_frame *f, char c, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	switch (c) {
	case '"':
		f->in_string = f->depth > 0;
		if (f->depth == 1 && f->want_key) {
			TRY(take(f, &f->head, f->at, err));
			f->key_at = f->head.len;
			f->in_key = true;
			f->want_key = false;
		}
		break;
	case '{':
	case '[':
		return head_open(f, c, err);
	case '}':
	case ']':
		return head_close(f, doc, ret_more, err);
	case ',':
		if (f->depth == 1) {
			f->want_key = true;
			f->wanted = false;
		}
		break;
	default:
		break;
	}
	if (f->depth == 0 && c != ' ' && c != '\n' && c != '\t' && c != '\r')
		return bad("not an object", err);
	return 0;
}

static int pass_head(
	struct kube_frame *f, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	if (!f->in_string)
		return head_byte(f, f->in.p[f->at++], doc, ret_more, err);
	pass_string(f);
	return f->in_key && !f->in_string ? key_whole(f, err) : 0;
}

/* Between items. Commas and white space are left out of the head. */
static int pass_list(struct kube_frame *f, struct err *err)
{
	const char c = f->in.p[f->at++];

	if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
		return 0;
	if (c == '{' && f->part != KUBE_FRAME_COMMA) {
		f->part = KUBE_FRAME_OBJECT;
		f->from = f->at - 1;
		return deeper(f, err);
	}
	if (c == ',' && f->part == KUBE_FRAME_COMMA) {
		f->part = KUBE_FRAME_ITEM;
		return 0;
	}
	if (c != ']' || f->part == KUBE_FRAME_ITEM)
		return bad("not a list of objects", err);
	f->part = KUBE_FRAME_HEAD;
	f->from = f->at - 1;
	f->depth--;
	return 0;
}

static int pass(struct kube_frame *f, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	bool whole = false;

	if (f->part == KUBE_FRAME_HEAD)
		return pass_head(f, doc, ret_more, err);
	if (f->part != KUBE_FRAME_OBJECT)
		return pass_list(f, err);
	TRY(pass_object(f, &whole, err));
	return whole ? object_whole(f, doc, ret_more, err) : 0;
}

/* The piece is over: what is borrowed from it is copied. */
static int piece_over(struct kube_frame *f, struct err *err)
{
	if (f->object.n > 0 && f->rest.len == 0) {
		TRY(base_buf_add_str(&f->rest, f->object, err));
		f->object = base_buf_str(&f->rest);
	}
	if (f->part == KUBE_FRAME_OBJECT)
		TRY(take(f, &f->rest, f->in.n, err));
	else if (f->part == KUBE_FRAME_HEAD && f->depth > 0)
		TRY(take(f, &f->head, f->in.n, err));
	f->in = STR_NULL;
	f->at = f->from = 0;
	return 0;
}

static int next(struct kube_frame *f, struct kube_frame_doc *doc, bool *ret_more, struct err *err)
{
	if (f->given) {
		f->given = false;
		f->object = STR_NULL;
		forget(&f->rest);
		if (f->form == KUBE_FRAME_EVENTS)
			forget(&f->head);
	}
	while (f->at < f->in.n && !*ret_more)
		TRY(pass(f, doc, ret_more, err));
	return *ret_more ? 0 : piece_over(f, err);
}

int kube_frame_next(
	struct kube_frame *f, struct kube_frame_doc *ret_doc, bool *ret_more, struct err *err)
{
	struct kube_frame_doc doc = {0};
	bool more = false;

	if (f->failed)
		return bad("broken before", err);
	const int r = next(f, &doc, &more, err);
	if (r < 0) {
		f->failed = true;
		return r;
	}
	if (more)
		*ret_doc = doc;
	*ret_more = more;
	return 0;
}

int kube_frame_end(const struct kube_frame *f, struct err *err)
{
	if (f->failed)
		return bad("broken before", err);
	if (f->depth > 0)
		return bad("it ends within a document", err);
	if (f->form == KUBE_FRAME_LIST && !f->ended)
		return bad("it ends before the list", err);
	return 0;
}
