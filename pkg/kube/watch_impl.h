/* The watch machine's inside: watch.c takes inputs and gives actions, watch_read.c turns documents
 * into actions, watch_plan.c decides what to start next and when. Layer: kube. */
#ifndef KUBE_WATCH_IMPL_H
#define KUBE_WATCH_IMPL_H

#include "pkg/kube/watch.h"

enum kube_watch_phase {
	KUBE_WATCH_IDLE,       /* no stream; the next one starts at start_ns */
	KUBE_WATCH_LIST,       /* a page of a LIST */
	KUBE_WATCH_WATCH_LIST, /* the initial objects of a WatchList */
	KUBE_WATCH_WATCH,      /* changes */
};

/* What the next stream is for. */
enum kube_watch_plan {
	KUBE_WATCH_PLAN_SET,    /* all objects */
	KUBE_WATCH_PLAN_PAGE,   /* the next page of a LIST */
	KUBE_WATCH_PLAN_RESUME, /* changes since rv */
};

struct kube_watch {
	const struct env *env;
	struct kube_watch_spec spec;
	struct buf selectors; /* encoded, with '&' before each */
	struct buf query;
	struct buf token; /* of the next page */
	struct kube_frame frame;
	enum kube_watch_phase phase;
	enum kube_watch_plan plan;
	enum kube_watch_state state;

	char rv[KUBE_RV_MAX + 1];      /* where to resume; empty: nothing was seen */
	char list_rv[KUBE_RV_MAX + 1]; /* of the first page */
	bool newest;                   /* the server cannot serve rv: ask for the most recent */
	bool refused;                  /* WatchList was: this attempt is a LIST */
	bool unpaged; /* a later page had expired: this attempt is one LIST without pages */

	bool in_set;    /* between INIT and INIT_DONE or ABANDON */
	bool whole;     /* there was an INIT_DONE */
	bool list_over; /* the LIST's last brace has come */
	bool bookmarks; /* this server sends them */
	bool answered;  /* the stream's status has come */
	bool reading;   /* the frame may have documents */

	/* Actions that are due, in this order. */
	bool do_stop, do_abandon, do_trouble, do_done;
	struct err err;

	int64_t start_ns;   /* IDLE: not before */
	int64_t started_ns; /* the stream */
	int64_t byte_ns;    /* the last byte, or the status */
	int64_t hard_ns;    /* the stream is over by then; INT64_MAX: a LIST */
	uint64_t in_stream; /* events and bookmarks */

	uint32_t expired;      /* in a row */
	int64_t delay_ns;      /* the last back-off; 0: none */
	int64_t delay_till_ns; /* when it was over */
	struct kube_watch_stats stats;
};

/* The stream ended with an error, or err is ours about it: plans what comes next. */
void kube_watch_failed(struct kube_watch *w, const struct err *err);
/* The same while it runs: it is stopped. */
void kube_watch_break(struct kube_watch *w, const struct err *err);
/* What came cannot be read: like a broken connection, whatever the class. */
void kube_watch_garbage(struct kube_watch *w, const struct err *err);

/* At once. */
void kube_watch_again(struct kube_watch *w, enum kube_watch_plan plan);

/* Keeps rv as the place to resume at; what is empty or too long changes nothing. */
void kube_watch_set_rv(struct kube_watch *w, struct str rv);

/* The set is whole at rv. */
void kube_watch_complete(struct kube_watch *w, struct str rv);

/* Writes the query of the next stream and sets the phase. */
int kube_watch_begin(struct kube_watch *w, struct err *err) must_check;

/* One document of the frame, or none: false if it gave no action. */
bool kube_watch_read(struct kube_watch *w, struct kube_watch_action *action);

#endif
