"""Figures of the agent; see bench/agent.sh."""
import base64
import http.client
import json
import os
import pathlib
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import figures
from figures import BUILD, ROOT, ROUNDS, SECONDS, cpu_seconds

sys.path.insert(0, str(ROOT / "e2e/agent"))
from world import World, wait_for  # noqa: E402

CLUSTER = "bench-agent"
COLD = 20000


def put_bodies(path, bodies):
    with open(path, "wb") as out:
        for body in bodies:
            out.write(struct.pack(">I", len(body)) + body)


def load(agent, path, connections, seconds, bodies, answers=None):
    got = figures.load([agent], agent.socket, path, connections, seconds, bodies, answers)
    return {**got, "cpu": got["cpu"][0]}


def line(name, *rest, **more):
    figures.line(f"agent.{name}", *rest, **more)


def rates(name, agent, path, connections, bodies, budgets, note):
    runs = [load(agent, path, connections, SECONDS, bodies) for _ in range(ROUNDS)]
    best = max(runs, key=lambda r: r["rate"])
    flight = f"{connections} in flight, 1 KiB, keep-alive on the unix socket, {note}"
    for key, unit, low_is_good in (("rate", "1/s", False), ("p50", "us", True),
                                   ("p99", "us", True), ("cpu", "us", True)):
        values = sorted(r[key] for r in runs)
        what = "processor time of the agent for one, " if key == "cpu" else ""
        line(f"{name}.{key}", round(best[key], 2), unit, what + flight, budgets.get(key),
             low_is_good, spread=[round(values[0], 2), round(values[-1], 2)])


def cold(sender, opener, bodies, work):
    rows = []
    for i in range(ROUNDS):
        sealed = work / "cold"
        load(sender, "/v1/encrypt?to=billing", 8, 0, bodies, sealed)
        rows.append(load(opener, "/v1/decrypt", 1 if i % 2 else 64, 0, sealed))
    best = max(rows, key=lambda r: r["rate"])
    line("decrypt.new-key.rate", round(best["rate"], 1), "1/s",
         f"{COLD} messages with a secret each, opened by the keeper, 1 or 64 in flight", 4000, False,
         spread=[round(min(r["rate"] for r in rows), 1), round(best["rate"], 1)])
    line("decrypt.new-key.cpu", round(min(r["cpu"] for r in rows), 2), "us",
         "processor time of agent and keeper for one")


def send(agent, path, source, out):
    subprocess.run(["bash", "-c", "set -o pipefail; cat "
                    f"{source} | curl -sSf -X POST -T - -H 'Expect:' --unix-socket {agent.socket} "
                    f"'http://localhost{path}' > {out}"], check=True)


def bulk(agent, path, source):
    """Rates in MB/s, ascending: by the wall clock, and by the agent's processor time."""
    walls, busies = [], []
    for _ in range(ROUNDS):
        network = agent.pids()["network"]
        before, begun = cpu_seconds(network), time.monotonic()
        send(agent, path, source, "/dev/null")
        walls.append(1024 ** 3 / 1e6 / (time.monotonic() - begun))
        busies.append(1024 ** 3 / 1e6 / (cpu_seconds(network) - before))
    return sorted(walls), sorted(busies)


def openssl():
    run = subprocess.run(["openssl", "speed", "-mr", "-seconds", "2", "-bytes", "65536", "-evp",
                          "aes-256-gcm"], capture_output=True, text=True, check=True)
    return next(float(l.split(":")[3]) / 1e6 for l in run.stdout.splitlines()
                if l.startswith("+F:"))


def bulks(sender, opener, work):
    plain, sealed = work / "plain", work / "sealed"
    with open(plain, "wb") as out:
        out.truncate(1024 ** 3)
    subprocess.run(["cat", str(plain)], stdout=subprocess.DEVNULL, check=True)
    peer = openssl()
    rest = {a: a.private_bytes() for a in (sender, opener)}
    send(sender, "/v1/encrypt?to=billing", plain, sealed)
    one = bulk(sender, "/v1/encrypt?to=billing", plain)
    two = bulk(opener, "/v1/decrypt", sealed)
    for name, rows in (("encrypt", one), ("decrypt", two)):
        for key, values, what in ((name, rows[0], "wall time, client and agent on the same two cores"),
                                  (f"{name}.cpu", rows[1], "processor time of the network half")):
            line(f"bulk.{key}", round(values[-1], 1), "MB/s", f"1 GiB by curl through the socket, {what}",
                 round(0.85 * peer, 1), False, spread=[round(values[0], 1), round(values[-1], 1)],
                 peer="openssl speed AES-256-GCM, 64 KiB", peer_value=round(peer, 1))
    grown = max(a.private_bytes() - rest[a] for a in rest) / 1024 ** 2
    line("bulk.memory", round(grown, 2), "MiB", "Pss_Anon after it, above rest", 2)
    plain.unlink()
    sealed.unlink()


def memory(agents):
    values = sorted(a.private_bytes() / 1024 ** 2 for a in agents)
    line("memory.rest", round(statistics.median(values), 2), "MiB",
         "Pss_Anon of supervisor, keeper, network half; ready, nothing sent yet", 3.4,
         spread=[round(values[0], 2), round(values[-1], 2)], runs=len(values))


def starts(world, agent):
    took = []
    for _ in range(10):
        agent.stop()
        agent.log.write_text("")
        agent.start()
        wait_for("ready", agent.ready, step=0.002)
        took.append((time.monotonic() - agent.begun) * 1000)
    took.sort()
    line("start.ready", round(statistics.median(took), 1), "ms",
         "from starting the agent to /readyz, leader known, median", 300, runs=len(took),
         spread=[round(took[0], 1), round(took[-1], 1)])


def first_request(work):
    """A start against a server that takes connections and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    config, took = work / "silent", []
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {
            "server": f"http://127.0.0.1:{listener.getsockname()[1]}"}}],
        "users": [{"name": "it", "user": {"token": "none"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))
    env = {"POD_NAME": "one", "POD_NAMESPACE": "shop", "POD_IP": "127.0.0.1",
           "POD_UID": "00000000-0000-0000-0000-000000000001"}
    command = [str(BUILD / "bin/functionkey-agent"), "run", "--socket", str(work / "silent.sock"),
               "--peer-address", "127.0.0.1:39470", "--kubeconfig", str(config)]
    for _ in range(10):
        begun = time.monotonic()
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as agent:
            connection, _ = listener.accept()
            connection.recv(1)
            took.append((time.monotonic() - begun) * 1000)
            connection.close()
            agent.terminate()
    listener.close()
    took.sort()
    line("start.first-request", round(statistics.median(took), 1), "ms",
         "from starting the agent to the first byte of a request to the API server, median", 10,
         runs=len(took), spread=[round(took[0], 1), round(took[-1], 1)],
         peer="Go peer (BUDGETS.md, not this run)", peer_value=21)


class Api:
    """The API server as its administrator, on one connection."""

    def __init__(self, world):
        config = json.loads(world.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        files = {}
        for name, text in (("ca", cluster["certificate-authority-data"]),
                           ("crt", user["client-certificate-data"]),
                           ("key", user["client-key-data"])):
            files[name] = world.home / f"admin.{name}"
            files[name].write_bytes(base64.b64decode(text))
        context = ssl.create_default_context(cafile=files["ca"])
        context.load_cert_chain(files["crt"], files["key"])
        self.connection = http.client.HTTPSConnection(
            cluster["server"].removeprefix("https://"), context=context, timeout=30)

    def send(self, method, path, body, kind="application/json"):
        self.connection.request(method, "/apis/functionkey.dev/v1alpha1/namespaces/shop/"
                                f"functionkeys{path}", body, {"Content-Type": kind})
        response = self.connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise AssertionError(f"{method} {path}: {response.status} {answer!r}")


def many_functions(world, sender):
    """Leader records of 1,000 functions, and a sender that used each of them."""
    api, count = Api(world), 1000
    made = subprocess.run([str(BUILD / "test/agent/records_bench"), str(count)],
                          capture_output=True, check=True).stdout.splitlines()
    for i in range(count):
        record = json.loads(made[3 * i])
        del record["metadata"]["ownerReferences"]  # who has no owner is not collected
        api.send("POST", "", json.dumps(record))
        for status in made[3 * i + 1:3 * i + 3]:
            api.send("PATCH", f"/f-{i}/status", status, "application/merge-patch+json")
    for i in range(count):
        answer = sender.encrypt(f"f-{i}", b"x")
        if answer.status != 200:
            raise AssertionError(f"f-{i}: {answer.status} {answer.body!r}")
    time.sleep(65)  # what was freed is given back once a minute
    line("memory.1000-functions", round(sender.private_bytes() / 1024 ** 2, 2), "MiB",
         "Pss_Anon of an agent, no leader, that encrypts to 1,000 functions; all key windows over", 6,
         runs=1)


def measure(world, work):
    opener, second = world.revision("billing", "billing-1", 2)
    sender, fresh = world.revision("orders", "orders-1", 2)
    for agent in (opener, second, sender):
        agent.start()
    fresh.start(reuse_keys="false")
    for agent in world.agents:
        wait_for("ready", agent.ready, 30)
    time.sleep(2)
    memory([opener, second, sender])
    small, many = work / "small", work / "many"
    put_bodies(small, [os.urandom(1024)])
    put_bodies(many, [os.urandom(1024)] * COLD)
    sealed = work / "sealed-small"
    encrypt = "/v1/encrypt?to=billing"
    warm = {"rate": 25000, "p50": 40}
    wide = {"rate": 60000, "cpu": 12}
    rates("encrypt.window.1", sender, encrypt, 1, small, warm, "key window")
    rates("encrypt.window.64", sender, encrypt, 64, small, wide, "key window")
    rates("encrypt.new-key.1", fresh, encrypt, 1, small, {"rate": 6000}, "new secret each message")
    load(sender, encrypt, 8, 0, many, sealed)
    rates("decrypt.window.1", opener, "/v1/decrypt", 1, sealed, warm, "key window")
    rates("decrypt.window.64", opener, "/v1/decrypt", 64, sealed, wide, "key window")
    # Mostly the keepers' signatures, which wait for each other.
    for level in ("origin", "message"):
        rates(f"encrypt.{level}.64", sender, f"{encrypt}&sender={level}", 64, small, {},
              f"key window, signed at level {level}")
        load(sender, f"{encrypt}&sender={level}", 8, 0, many, sealed)
        rates(f"decrypt.{level}.64", opener, "/v1/decrypt", 64, sealed, {},
              f"key window, signed at level {level}, sender verified")
    cold(fresh, opener, many, work)
    bulks(sender, opener, work)
    starts(world, second)
    sender.stop()
    sender.start()
    wait_for("ready", sender.ready, 30)
    many_functions(world, fresh if sender.status()["leading"] else sender)


def main():
    with tempfile.TemporaryDirectory(prefix="functionkey-bench-") as work:
        first_request(pathlib.Path(work))
    subprocess.run([str(ROOT / "hack/cluster/up"), "--mode", "control-plane", "--name", CLUSTER],
                   check=True, stdout=subprocess.DEVNULL)
    world = World(CLUSTER, BUILD / "bin")
    try:
        world.begin(policies=())  # records of 1,000 functions are written by hand
        measure(world, world.home)
    finally:
        world.end()
        subprocess.run([str(ROOT / "hack/cluster/down"), "--name", CLUSTER], check=False)


if __name__ == "__main__":
    main()
