/* What the tests of the watch play through it. Tests only. */
#ifndef KUBE_TEST_WATCH_SCRIPTS_H
#define KUBE_TEST_WATCH_SCRIPTS_H

#include "pkg/base/test.h"

/* Golden scripts. Each line is one step:
 *	">X"	the machine's next action is X ("-": it waits)
 *	"S"	the status came
 *	"<X"	bytes came
 *	"E"	the stream ended cleanly; "Eexpired" and the like: with an error of that class
 *	"L"	the receiver lost an object
 *	"+n"	n milliseconds go by
 *	"=x"	the state is x
 * In queries the number behind timeoutSeconds is a T; the machine's random choices are always the
 * lowest (jitter is tested apart). */
#define WATCH                 ">START watch=true&allowWatchBookmarks=true&timeoutSeconds=T"
#define WATCH_LIST            WATCH "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
#define RESUME(rv)            WATCH "&resourceVersion=" rv
#define META(name, rv)        "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, name, rv) "{\"type\":\"" type "\",\"object\":" META(name, rv) "}\n"
#define ADDED(name, rv)       EVENT("ADDED", name, rv)
#define MODIFIED(name, rv)    EVENT("MODIFIED", name, rv)
#define DELETED(name, rv)     EVENT("DELETED", name, rv)
#define BOOKMARK(rv)                                                                             \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":" \
	"\"" rv "\"}}}\n"
#define END_MARK(rv)                                                                 \
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" rv \
	"\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define ERROR(code, reason)                                                                      \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":" \
	"\"" reason "\",\"code\":" #code "}}\n"
#define LIST_HEAD(rv, token)                                                                       \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" token \
	"\"},\"items\":["
/* A first set by WatchList with one object: what most scripts begin with. */
#define SYNCED                                                                                    \
	">INIT", WATCH_LIST, ">-", "=starting", "S", "<" ADDED("a", "5"), ">APPLY a", "=listing", \
		">-", "<" END_MARK("10"), ">DONE 10", ">-", "=watching"

/* Bytes are put together from pieces: NOLINTBEGIN(bugprone-suspicious-missing-comma) */
static const struct {
	const char *name;
	bool no_watch_list;
	const char *steps[48];
} scripts[] = {
	{"WatchList, changes, bookmarks", false,
		{SYNCED, "<" MODIFIED("a", "11") DELETED("a", "12"), ">APPLY a 11", ">DELETE a 12",
			">-", "<" BOOKMARK("20"), ">BOOKMARK 20", ">-", "+1000", "E",
			RESUME("20")}},
	{"initial objects: their versions are not adopted", false,
		{">INIT", WATCH_LIST, "S", "<" ADDED("a", "90") ADDED("b", "7") BOOKMARK("8"),
			">APPLY a", ">APPLY b", ">-", "Etransient", ">ABANDON",
			">TROUBLE transient", ">-", "+799", ">-", "+1", ">INIT", WATCH_LIST}},
	{"changes while initial objects come", false,
		{">INIT", WATCH_LIST, "S",
			"<" ADDED("a", "3") MODIFIED("a", "12") DELETED("a", "13") END_MARK("13"),
			">APPLY a", ">APPLY a", ">DELETE a", ">DONE 13", ">-"}},
	{"a clean end after a second is resumed at once, without a LIST", false,
		{SYNCED, "+1000", "E", RESUME("10"), "S", "+1000", "E", RESUME("10"), "S", ">-"}},
	{"a clean end after an event is resumed at once", false,
		{SYNCED, "E", RESUME("10"), "S", "<" ADDED("b", "11"), ">APPLY b 11", "E",
			RESUME("11")}},
	{"clean ends at once: back-off, doubled to 30 s", false,
		{SYNCED, "+1000", "E", RESUME("10"), "S", "E", ">TROUBLE transient", ">-",
			"=retrying", "+800", RESUME("10"), "S", "E", ">TROUBLE transient", "+1599",
			">-", "+1", RESUME("10"), "E", ">TROUBLE transient", "+3200", RESUME("10"),
			"E", ">TROUBLE transient", "+6400", RESUME("10"), "E",
			">TROUBLE transient"}},
	{"back-off is forgotten after two minutes", false,
		{SYNCED, "Etransient", ">TROUBLE transient", "+800", RESUME("10"), "Etransient",
			">TROUBLE transient", "+1600", RESUME("10"), "S", "+120001", "Etransient",
			">TROUBLE transient", "+799", ">-", "+1", RESUME("10")}},
	{"an error resumes, it does not list", false,
		{SYNCED, "<" MODIFIED("a", "11"), ">APPLY a 11", "Etransient", ">TROUBLE transient",
			"+800", RESUME("11"), "S", "=watching", ">-"}},
	{"410 after three events: a new set, first at the version seen", false,
		{SYNCED,
			"<" MODIFIED("a", "11") MODIFIED("a", "12") MODIFIED("a", "13")
				ERROR(410, "Expired"),
			">APPLY a 11", ">APPLY a 12", ">APPLY a 13", ">STOP", ">TROUBLE expired",
			">INIT", WATCH_LIST "&resourceVersion=13", "S",
			"<" ADDED("a", "13") END_MARK("14"), ">APPLY a", ">DONE 14"}},
	{"410 as an answer, twice: then at the most recent", false,
		{SYNCED, "+1000", "E", RESUME("10"), "Eexpired", ">TROUBLE expired", ">INIT",
			WATCH_LIST "&resourceVersion=10", "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "S", "<" END_MARK("4"), ">DONE 4",
			"+1000", "E", RESUME("4")}},
	{"410 again and again: back-off", false,
		{SYNCED, "+1000", "E", RESUME("10"), "Eexpired", ">TROUBLE expired", ">INIT",
			WATCH_LIST "&resourceVersion=10", "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "Eexpired", ">ABANDON",
			">TROUBLE expired", ">-", "+800", ">INIT", WATCH_LIST}},
	{"ERROR 429 in the stream: back-off, the version is kept", false,
		{SYNCED, "<" ERROR(429, "TooManyRequests"), ">STOP", ">TROUBLE transient", ">-",
			"+800", RESUME("10")}},
	{"ERROR 500 in the stream", false,
		{SYNCED, "<" ERROR(500, "InternalError"), ">STOP", ">TROUBLE transient", "+800",
			RESUME("10")}},
	{"ERROR 400 in the stream: a new set", false,
		{SYNCED, "<" ERROR(400, "BadRequest"), ">STOP", ">TROUBLE invalid", "+1999", ">-",
			"+1", ">INIT", WATCH_LIST}},
	{"a bare Status in the stream", false,
		{SYNCED,
			"<{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\","
			"\"code\":410}\n",
			">STOP", ">TROUBLE expired", ">INIT", WATCH_LIST "&resourceVersion=10"}},
	{"ERROR while initial objects come", false,
		{">INIT", WATCH_LIST, "S", "<" ADDED("a", "1") ERROR(500, "InternalError"),
			">APPLY a", ">STOP", ">ABANDON", ">TROUBLE transient", "+800", ">INIT",
			WATCH_LIST}},
	{"WatchList refused: a LIST for this attempt, then a watch", false,
		{">INIT", WATCH_LIST, "Einvalid", ">ABANDON", ">INIT",
			">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "") META("a", "5") "," META("b", "6") "]}", ">APPLY a",
			">APPLY b", ">-", "E", ">DONE 30", RESUME("30"), "S", "=watching",
			"Eexpired", ">TROUBLE expired", ">INIT", WATCH_LIST "&resourceVersion=30",
			"Einvalid", ">ABANDON", ">INIT",
			">START resourceVersion=30&resourceVersionMatch=NotOlderThan"}},
	{"pages", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "tok") META("a", "5") "]}", ">APPLY a", "E",
			">START continue=tok&limit=500", "S",
			"<" LIST_HEAD("31", "t2") META("b", "6") "]}", ">APPLY b", "E",
			">START continue=t2&limit=500", "S", "<" LIST_HEAD("32", "") "]}", ">-",
			"E", ">DONE 30", RESUME("30")}},
	{"410 on page two: one LIST without pages", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "tok") META("a", "5") "]}", ">APPLY a", "E",
			">START continue=tok&limit=500", "Eexpired", ">ABANDON", ">TROUBLE expired",
			">INIT", ">START resourceVersion=0", "S",
			"<" LIST_HEAD("40", "") META("a", "5") "]}", ">APPLY a", "E", ">DONE 40",
			RESUME("40"), "Eexpired", ">TROUBLE expired", ">INIT",
			">START resourceVersion=40&resourceVersionMatch=NotOlderThan", "Eexpired",
			">ABANDON", ">TROUBLE expired", ">INIT", ">START limit=500"}},
	{"a LIST whose connection breaks behind its last brace", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]}",
			">-", "Etransient", ">DONE 30", RESUME("30")}},
	{"a LIST cut", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]",
			"E", ">ABANDON", ">TROUBLE transient", "+800", ">INIT",
			">START resourceVersion=0&limit=500"}},
	{"a LIST that is a Status", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Forbidden\","
			"\"code\":403}",
			">STOP", ">ABANDON", ">TROUBLE denied", "=denied", ">-"}},
	{"a LIST without a version", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<{\"items\":[]}", ">STOP",
			">ABANDON", ">TROUBLE invalid", "+800", ">INIT"}},
	{"silence before the status", false,
		{">INIT", WATCH_LIST, "+29999", ">-", "+1", ">STOP", ">ABANDON",
			">TROUBLE transient", "+800", ">INIT", WATCH_LIST}},
	{"silence while objects come", false,
		{">INIT", WATCH_LIST, "S", "+29000", "<" ADDED("a", "1"), ">APPLY a", "+29999",
			">-", "+1", ">STOP", ">ABANDON", ">TROUBLE transient", "+800", ">INIT"}},
	{"silence for 150 s: a new stream at once, no LIST", false,
		{SYNCED, "+149999", ">-", "+1", ">STOP", ">TROUBLE transient", RESUME("10"), ">-",
			"S", "+149999", ">-", "<\n", ">-", "+149999", ">-", "+1", ">STOP"}},
	{"no bookmarks: only the time limit", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]}",
			">-", "E", ">DONE 30", RESUME("30"), "S", "+329999", ">-", "+1", ">STOP",
			">TROUBLE transient", RESUME("30")}},
	{"bytes every minute do not stretch the time limit", false,
		{SYNCED, "+100000", "<\n", ">-", "+100000", "<\n", ">-", "+100000", "<\n", ">-",
			"+29999", ">-", "+1", ">STOP", ">TROUBLE transient", RESUME("10")}},
	{"denied: long back-off, said aloud, resumed", false,
		{SYNCED, "Edenied", ">TROUBLE denied", "=denied", "+1999", ">-", "+1", RESUME("10"),
			"Edenied", ">TROUBLE denied", "+3999", ">-", "+1", RESUME("10"), "S",
			"=watching"}},
	{"absent: a new set when it is back", false,
		{SYNCED, "Enot-found", ">TROUBLE not-found", "=absent", "+2000", ">INIT",
			WATCH_LIST, "Enot-found", ">ABANDON", ">TROUBLE not-found", "+4000",
			">INIT", WATCH_LIST, "S", "<" END_MARK("7"), ">DONE 7", "=watching"}},
	{"the receiver lost an object: a new set", false,
		{SYNCED, "<" ADDED("b", "11") ADDED("c", "12"), ">APPLY b 11", "L", ">STOP",
			">TROUBLE nomem", ">-", "+800", ">INIT", WATCH_LIST "&resourceVersion=11"}},
	{"a version that goes back is not adopted", false,
		{SYNCED, "<" MODIFIED("a", "20") MODIFIED("a", "15"), ">APPLY a 20", ">APPLY a 20",
			"+1000", "E", RESUME("20")}},
	{"a version without order is", false,
		{SYNCED, "<" MODIFIED("a", "x9"), ">APPLY a x9", "+1000", "E", RESUME("x9")}},
	{"cut in the middle of an event", false,
		{SYNCED, "<" MODIFIED("a", "11") "{\"type\":\"MODI", ">APPLY a 11", ">-", "E",
			RESUME("11"), "S", "<" MODIFIED("a", "12"), ">APPLY a 12"}},
	{"garbage: back-off and resume", false,
		{SYNCED, "<<html>", ">STOP", ">TROUBLE invalid", "+800", RESUME("10")}},
	{"garbage in an event's object", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":{\"metadata\":}}\n", ">STOP",
			">TROUBLE invalid", "+800", RESUME("10")}},
	{"an event of an unknown type", false,
		{SYNCED, "<" EVENT("RENAMED", "a", "11"), ">STOP", ">TROUBLE invalid", "+800",
			RESUME("10")}},
	{"an event without an object", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":null}", ">STOP", ">TROUBLE invalid"}},
	{"an object that the kind cannot read is left out, told, and passed", false,
		{SYNCED,
			"<{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"bad\","
			"\"resourceVersion\":"
			"\"11\"},\"size\":\"big\"}}\n" ADDED("c", "12"),
			">TROUBLE invalid", ">APPLY c 12", ">-", "+1000", "E", RESUME("12")}},
	{"what comes behind a break is not read", false,
		{SYNCED, "<" ERROR(410, "Expired") ADDED("z", "99"), ">STOP", ">TROUBLE expired",
			">INIT", WATCH_LIST "&resourceVersion=10", "S", "<" END_MARK("11"),
			">DONE 11"}},
	{"two objects on one line, split anywhere", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",", ">-",
			"<\"resourceVersion\":\"11\"}}}{\"type\":\"DELETED\",", ">APPLY b 11", ">-",
			"<\"object\":" META("b", "12") "}", ">DELETE b 12", ">-"}},
};

/* NOLINTEND(bugprone-suspicious-missing-comma) */

#endif
