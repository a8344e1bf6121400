/* The rules of election, without clocks and without network. */
#include "pkg/kube/lease.h"

#define DEFAULT_DURATION_NS (30 * NS_PER_S)
#define DEFAULT_DEADLINE_NS (20 * NS_PER_S)
#define DEFAULT_RETRY_NS    (10 * NS_PER_S)
#define DEFAULT_JITTER_NS   (20 * NS_PER_MS)
#define NEVER               INT64_MAX

typedef const struct kube_lease_rules rules_t;
typedef struct kube_lease_state state_t;
typedef const struct kube_lease_event event_t;

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* low .. low + span, by the event's own randomness. */
static int64_t jittered(event_t *e, int64_t low, int64_t span)
{
	return low + (int64_t)((double)span * ((double)e->random / (double)UINT32_MAX));
}

int kube_lease_rules_check(struct kube_lease_rules *rules, struct err *err)
{
	struct kube_lease_times *t = &rules->times;

	t->duration_ns = t->duration_ns ? t->duration_ns : DEFAULT_DURATION_NS;
	t->renew_deadline_ns = t->renew_deadline_ns ? t->renew_deadline_ns : DEFAULT_DEADLINE_NS;
	t->retry_ns = t->retry_ns ? t->retry_ns : DEFAULT_RETRY_NS;
	t->take_jitter_ns = t->take_jitter_ns ? t->take_jitter_ns : DEFAULT_JITTER_NS;
	if (!rules->identity[0])
		return FAIL(err, ERR_INVALID, "a candidate without an identity");
	if (t->duration_ns % NS_PER_S || t->duration_ns > INT32_MAX * NS_PER_S)
		return FAIL(err, ERR_INVALID, "a Lease lasts whole seconds");
	if (t->retry_ns < NS_PER_MS || t->renew_deadline_ns <= t->retry_ns / 10 * 12 ||
		t->duration_ns <= t->renew_deadline_ns)
		return FAIL(err, ERR_INVALID,
			"a Lease needs duration > renew deadline > 1.2 × retry period");
	return 0;
}

static int64_t duration_of(rules_t *rules, const struct kube_lease_record *record)
{
	return record->duration_s > 0 ? record->duration_s * NS_PER_S : rules->times.duration_ns;
}

static int64_t expiry(rules_t *rules, const state_t *s)
{
	return s->seen_boot_ns + duration_of(rules, &s->seen);
}

static bool is_mine(rules_t *rules, const state_t *s)
{
	return s->have && !strcmp(s->seen.holder, rules->identity);
}

/* <pod>_<podUID>_ of <pod>_<podUID>_<incarnation>; empty for an identity of another form. */
static struct str incarnations(rules_t *rules)
{
	const char *last = strrchr(rules->identity, '_');

	if (!last || !memchr(rules->identity, '_', (size_t)(last - rules->identity)))
		return STR_NULL;
	return base_str_n(rules->identity, (size_t)(last - rules->identity) + 1);
}

static bool is_former_self(rules_t *rules, const state_t *s)
{
	const struct str prefix = incarnations(rules);

	return s->have && prefix.n && !is_mine(rules, s) &&
	       base_str_starts(base_str(s->seen.holder), prefix);
}

int64_t kube_lease_state_unheld_since(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state, int64_t boot_ns)
{
	if (!state->known)
		return 0;
	if (!state->have || !state->seen.holder[0])
		return state->unheld_boot_ns;
	return boot_ns >= expiry(rules, state) ? expiry(rules, state) : 0;
}

int64_t kube_lease_state_expiry(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state)
{
	return state->known && state->have && state->seen.holder[0] ? expiry(rules, state) : 0;
}

bool kube_lease_state_ours(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state)
{
	return is_mine(rules, state) || is_former_self(rules, state);
}

bool kube_lease_state_may_write(
	const struct kube_lease_rules *rules, const struct kube_lease_state *state, int64_t boot_ns)
{
	return state->held && !state->stopping && state->will != KUBE_LEASE_ABSTAIN &&
	       boot_ns < state->renewed_boot_ns + rules->times.renew_deadline_ns;
}

static bool same_record(const struct kube_lease_record *a, const struct kube_lease_record *b)
{
	return !strcmp(a->holder, b->holder) && a->duration_s == b->duration_s &&
	       a->transitions == b->transitions && a->acquire_wall_ns == b->acquire_wall_ns &&
	       a->renew_wall_ns == b->renew_wall_ns;
}

static void lose(
	rules_t *rules, state_t *s, event_t *e, const char *reason, struct kube_lease_action *a)
{
	if (!s->held)
		return;
	s->held = false;
	s->failures = 0;
	/* The others first. */
	s->next_boot_ns =
		e->boot_ns + jittered(e, rules->times.retry_ns, rules->times.retry_ns / 5);
	a->change = KUBE_LEASE_LOST;
	a->reason = reason;
}

static void adopt(rules_t *rules, state_t *s, event_t *e)
{
	const struct kube_lease_record *r = e->record;
	int64_t unheld = kube_lease_state_unheld_since(rules, s, e->boot_ns);

	if (!unheld)
		unheld = e->boot_ns;
	if (!r || !r->holder[0]) {
		if (!s->unheld_boot_ns)
			s->jitter_boot_ns = jittered(e, e->boot_ns, rules->times.take_jitter_ns);
		s->unheld_boot_ns = unheld;
	} else {
		s->unheld_boot_ns = 0;
	}
	if (r && !(s->known && s->have && same_record(r, &s->seen)))
		s->seen_boot_ns = e->boot_ns;
	/* After we lost or gave it up, the others go first: this one did. */
	if (r && r->holder[0] && !s->held && s->failures == 0 &&
		strcmp(r->holder, rules->identity) != 0 && s->next_boot_ns > e->boot_ns)
		s->next_boot_ns = e->boot_ns;
	if (r)
		s->seen = *r;
	s->have = r != NULL;
	s->known = true;
	s->stale = false;
}

static bool is_old_news(const state_t *s, event_t *e)
{
	int cmp = 0;

	if (!e->watched || !e->record || !s->have)
		return false;
	return kube_rv_cmp(base_str(e->record->rv), base_str(s->seen.rv), &cmp, NULL) == 0 &&
	       cmp <= 0;
}

static void on_seen(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	const int32_t mine = s->seen.transitions;

	if (!e->watched) {
		s->busy = s->busy && s->doing != KUBE_LEASE_GET;
		s->got_boot_ns = e->boot_ns;
	}
	if (is_old_news(s, e))
		return;
	adopt(rules, s, e);
	if (!s->held)
		return;
	if (!s->have)
		lose(rules, s, e, "the Lease is gone", a);
	else if (!s->seen.holder[0])
		lose(rules, s, e, "the Lease was released by somebody else", a);
	else if (!is_mine(rules, s))
		lose(rules, s, e, "somebody else holds the Lease", a);
	else if (s->seen.transitions != mine)
		lose(rules, s, e, "the Lease changed hands meanwhile", a);
}

static void on_written(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	const bool released = s->doing == KUBE_LEASE_RELEASE;

	s->busy = false;
	s->failures = 0;
	if (!e->record) {
		s->stale = true;
		return;
	}
	adopt(rules, s, e);
	if (released) {
		s->releasing = false;
		/* Who gave up what it held lets the others go first. Who came back without keys
		 * does so by its will, and must not wait when that changes: it may be alone. */
		s->next_boot_ns = s->released_former
					  ? e->boot_ns
					  : e->boot_ns + jittered(e, rules->times.retry_ns,
								 rules->times.retry_ns / 5);
		return;
	}
	if (!is_mine(rules, s)) {
		lose(rules, s, e, "somebody else holds the Lease", a);
		return;
	}
	s->renewed_boot_ns = e->sent_boot_ns;
	s->next_boot_ns = e->sent_boot_ns + rules->times.retry_ns;
	/* Who is to stop does not begin to lead, but gives it back at once. */
	if (s->stopping || s->will == KUBE_LEASE_ABSTAIN) {
		s->next_boot_ns = e->boot_ns;
		return;
	}
	/* Too late an answer is none. */
	if (s->held || e->boot_ns >= s->renewed_boot_ns + rules->times.renew_deadline_ns)
		return;
	s->held = true;
	s->releasing = false;
	a->change = KUBE_LEASE_WON;
}

static void on_failed(rules_t *rules, state_t *s, event_t *e)
{
	const int64_t retry = rules->times.retry_ns;
	const bool write = s->busy && s->doing != KUBE_LEASE_GET;

	s->busy = false;
	s->failures++;
	/* Whatever became of a write: look before the next one. */
	if (write)
		s->stale = true;
	if (write && s->failures == 1)
		s->next_boot_ns = e->boot_ns;
	else if (s->held || s->releasing || s->failures <= 3)
		s->next_boot_ns = jittered(e, e->boot_ns + retry / 5, retry / 5);
	else
		s->next_boot_ns = jittered(e, e->boot_ns + retry, retry / 10 * 12);
}

static void act(state_t *s, struct kube_lease_action *a, enum kube_lease_do what)
{
	s->busy = true;
	s->doing = what;
	a->act = what;
}

static void wait_until(struct kube_lease_action *a, int64_t at)
{
	a->act = KUBE_LEASE_WAIT;
	a->at_boot_ns = at;
}

/* holder is "" to release. */
static void write_as(rules_t *rules, state_t *s, struct kube_lease_action *a, bool acquire,
	enum kube_lease_do what)
{
	const int32_t t = s->have ? s->seen.transitions : 0;
	const bool release = what == KUBE_LEASE_RELEASE;

	act(s, a, what);
	a->record = (struct kube_lease_record){
		.duration_s = release ? 1 : (int32_t)(rules->times.duration_ns / NS_PER_S),
		.transitions = acquire && s->have && t < INT32_MAX ? t + 1 : t,
	};
	a->acquire = acquire || release;
	s->released_former = release && is_former_self(rules, s);
	if (!release)
		memcpy(a->record.holder, rules->identity, sizeof(rules->identity));
	if (s->have)
		memcpy(a->record.rv, s->seen.rv, sizeof(s->seen.rv));
}

static void step_held(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	const int64_t deadline = s->renewed_boot_ns + rules->times.renew_deadline_ns;

	if (e->boot_ns < s->next_boot_ns)
		wait_until(a, earlier(s->next_boot_ns, deadline));
	else if (!s->known || s->stale)
		act(s, a, KUBE_LEASE_GET);
	else
		write_as(rules, s, a, false, KUBE_LEASE_UPDATE);
}

/* When to look again at a Lease that somebody holds, or that is not there. */
static void step_watch(
	rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a, int64_t interesting)
{
	const int64_t retry = rules->times.retry_ns;
	const int64_t poll = jittered(e, s->got_boot_ns + retry, retry / 10 * 12);

	if ((e->boot_ns >= interesting && s->got_boot_ns < interesting) ||
		(!e->watching && e->boot_ns >= s->got_boot_ns + retry))
		act(s, a, KUBE_LEASE_GET);
	else
		wait_until(a, later(e->boot_ns + NS_PER_MS,
				      e->watching ? interesting : earlier(poll, interesting)));
}

/* What we hold and do not want, or held when we lost, or our former incarnation held: nobody need
 * wait for its end. Else only to know who holds it. */
static void step_unwanted(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	const bool fresh = s->known && !s->stale;

	if (fresh && !is_mine(rules, s))
		s->releasing = false;
	const bool due = s->releasing || (s->known && kube_lease_state_ours(rules, s));
	if (!due && s->stopping)
		wait_until(a, NEVER);
	else if (e->boot_ns < s->next_boot_ns)
		wait_until(a, s->next_boot_ns);
	else if (!fresh)
		act(s, a, KUBE_LEASE_GET);
	else if (due)
		write_as(rules, s, a, false, KUBE_LEASE_RELEASE);
	else
		step_watch(rules, s, e, a, NEVER);
}

static void step_free(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	const bool expired = s->have && s->seen.holder[0];
	int64_t from = expired ? expiry(rules, s) : s->jitter_boot_ns;

	if (!s->have && !rules->may_create) {
		step_watch(rules, s, e, a, NEVER);
		return;
	}
	if (s->will == KUBE_LEASE_LATE)
		from = later(from, kube_lease_state_unheld_since(rules, s, e->boot_ns) +
					   2 * rules->times.duration_ns);
	/* An expired one must have been read since: a dead watch tells nothing. */
	if (e->boot_ns < from || (expired && s->got_boot_ns < from))
		step_watch(rules, s, e, a, from);
	else
		write_as(rules, s, a, true, s->have ? KUBE_LEASE_UPDATE : KUBE_LEASE_CREATE);
}

static void step_contend(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	if (e->boot_ns < s->next_boot_ns)
		wait_until(a, s->next_boot_ns);
	else if (!s->known || s->stale)
		act(s, a, KUBE_LEASE_GET);
	else if (is_mine(rules, s))
		write_as(rules, s, a, false, KUBE_LEASE_UPDATE);
	else if (is_former_self(rules, s))
		/* Who comes back empty-handed lets the others go first. */
		write_as(rules, s, a, s->will == KUBE_LEASE_CONTEND,
			s->will == KUBE_LEASE_CONTEND ? KUBE_LEASE_UPDATE : KUBE_LEASE_RELEASE);
	else if (s->have && s->seen.holder[0] && e->boot_ns < expiry(rules, s))
		step_watch(rules, s, e, a, expiry(rules, s));
	else
		step_free(rules, s, e, a);
}

static void take_input(rules_t *rules, state_t *s, event_t *e, struct kube_lease_action *a)
{
	switch (e->input) {
	case KUBE_LEASE_TICK:
		break;
	case KUBE_LEASE_SEEN:
		on_seen(rules, s, e, a);
		break;
	case KUBE_LEASE_WRITTEN:
		on_written(rules, s, e, a);
		break;
	case KUBE_LEASE_FAILED:
		on_failed(rules, s, e);
		break;
	case KUBE_LEASE_STOP:
		s->stopping = true;
		break;
	}
}

struct kube_lease_action kube_lease_step(const struct kube_lease_rules *rules,
	struct kube_lease_state *state, const struct kube_lease_event *event)
{
	struct kube_lease_action a = {.at_boot_ns = NEVER};
	const bool unwanted = state->stopping || event->input == KUBE_LEASE_STOP ||
			      state->will == KUBE_LEASE_ABSTAIN;

	take_input(rules, state, event, &a);
	if (state->held && unwanted) {
		lose(rules, state, event, "it was given up", &a);
		state->releasing = true;
		state->next_boot_ns = event->boot_ns;
	}
	if (state->held &&
		event->boot_ns >= state->renewed_boot_ns + rules->times.renew_deadline_ns) {
		lose(rules, state, event, "it could not be renewed in time", &a);
		state->stale = true;
	}
	const int64_t deadline =
		state->held ? state->renewed_boot_ns + rules->times.renew_deadline_ns : NEVER;
	if (state->busy)
		wait_until(&a, deadline);
	else if (state->held)
		step_held(rules, state, event, &a);
	else if (unwanted)
		step_unwanted(rules, state, event, &a);
	else
		step_contend(rules, state, event, &a);
	if (a.act != KUBE_LEASE_WAIT)
		a.at_boot_ns = deadline;
	return a;
}

int kube_lease_identity(
	struct buf *b, struct str pod, struct str pod_uid, uint64_t incarnation, struct err *err)
{
	if (!pod.n || !pod_uid.n)
		return FAIL(err, ERR_INVALID, "an identity needs the pod's name and UID");
	return base_buf_addf(b, err, "%.*s_%.*s_%llu", STR_FMT(pod), STR_FMT(pod_uid),
		(unsigned long long)incarnation);
}
