#!/usr/bin/env python3
"""Whether two candidates ever held one Lease at the same time.

    check.py HISTORY LOG...

HISTORY is what `contend watch` wrote, each LOG what a candidate wrote; all on one clock. Every
"hold" and "still" line is a claim to lead at that moment; claims not more than GAP apart are one
interval. Checked:

- no two intervals of different identities overlap;
- each claim agrees with the Lease: the version before it names the claimant as the holder, or one
  that the watcher saw at most LAG later does;
- in the history, versions grow, and transitions grow by one exactly when a new holder comes;
- there was something to see: at least MIN hand-overs each way between the two programs.

Prints what it found; ends with 0 only if all holds.
"""
import json
import sys

GAP = 500_000_000
LAG = 1_000_000_000
MIN = 3


def read(path):
    with open(path, encoding="utf-8") as file:
        # A killed writer may leave half a line.
        return [json.loads(text) for text in file if text.endswith("\n")]


def intervals(logs):
    """[begin, end, identity] of unbroken claims."""
    out = []
    for log in logs:
        last = {}
        for entry in log:
            if entry["event"] not in ("hold", "still"):
                last.pop(entry.get("identity"), None)
                continue
            who, now = entry["identity"], entry["boot_ns"]
            if who in last and now - last[who][1] <= GAP:
                last[who][1] = now
            else:
                last[who] = [now, now, who]
                out.append(last[who])
    return sorted(out)


def overlaps(spans):
    for i, a in enumerate(spans):
        for b in spans[i + 1 :]:
            if b[0] > a[1]:
                break
            if a[2] != b[2]:
                yield f"{a[2]} and {b[2]} both lead for {(min(a[1], b[1]) - b[0]) / 1e9:.3f} s"


def disagreements(logs, history):
    """Claims that no version of the Lease bears out."""
    for log in logs:
        for entry in log:
            if entry["event"] not in ("hold", "still"):
                continue
            now, who = entry["boot_ns"], entry["identity"]
            before = [h for h in history if h["boot_ns"] <= now][-1:]
            soon = [h for h in history if now < h["boot_ns"] <= now + LAG]
            if not any(h["holder"] == who for h in before + soon):
                held = before[0]["holder"] if before else "nobody yet"
                yield f"{who} claims to lead while the Lease says '{held}'"
                break


def history_faults(history):
    for a, b in zip(history, history[1:]):
        if int(b["rv"]) <= int(a["rv"]):
            yield f"version {b['rv']} after {a['rv']}"
        new = b["holder"] not in ("", a["holder"])
        if b["transitions"] - a["transitions"] != (1 if new else 0):
            yield f"transitions {a['transitions']} -> {b['transitions']} at version {b['rv']}"


def handovers(history):
    """How often the holder changed from one program to the other: (C to Go, Go to C)."""
    holders = [h["holder"].split("-")[0] for h in history if h["holder"]]
    pairs = list(zip(holders, holders[1:]))
    return pairs.count(("c", "go")), pairs.count(("go", "c"))


def main():
    history = [h for h in read(sys.argv[1]) if h["event"] == "lease"]
    logs = [read(path) for path in sys.argv[2:]]
    spans = intervals(logs)
    there, back = handovers(history)
    faults = list(overlaps(spans)) + list(disagreements(logs, history))
    faults += list(history_faults(history))
    if there < MIN or back < MIN:
        faults.append(f"only {there} hand-overs to client-go, {back} from it: nothing is proved")
    for fault in faults:
        print("FAULT", fault)
    print(
        f"{len(history)} versions of the Lease, {len(spans)} intervals of "
        f"{len({s[2] for s in spans})} candidates, {there} hand-overs to client-go, {back} from it, "
        f"{len(faults)} faults"
    )
    return 1 if faults else 0


sys.exit(main())
