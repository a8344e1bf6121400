"""What the families of bench in Python share: how long, where the programs are, load, and lines."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("B", "build"))
SECONDS = int(os.environ.get("SECONDS_EACH", "5"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICK = os.sysconf("SC_CLK_TCK")


def line(name, value, unit, method, budget=None, low_is_good=True, runs=None, spread=None,
         peer=None, peer_value=None):
    """A figure, as in make bench."""
    met = None
    if budget is not None and value is not None:
        met = value <= budget if low_is_good else value >= budget
    print(json.dumps({"name": name, "value": value, "unit": unit, "runs": runs or ROUNDS,
                      "spread": spread, "peer": peer, "peer_value": peer_value,
                      "budget": budget, "met": met, "method": method}), flush=True)


def cpu_seconds(*pids):
    """Processor time of processes so far, of all their threads."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(agents, address, path, connections, seconds, bodies, answers=None):
    """Requests by agent_bench: rate, median and 99th percentile in us, and for each agent the
    processor time of a request in us."""
    command = [str(BUILD / "test/agent/agent_bench"), address, path, str(connections),
               str(seconds), str(bodies)] + ([str(answers)] if answers else [])
    pids = [list(agent.pids().values()) for agent in agents]
    before = [cpu_seconds(*p) for p in pids]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise AssertionError(f"{run.stdout}{run.stderr}")
    n, _, took, p50, p99 = map(float, run.stdout.split())
    spent = [(cpu_seconds(*p) - b) / n * 1e6 for p, b in zip(pids, before)]
    return {"rate": n / took, "p50": p50, "p99": p99, "cpu": spent}
