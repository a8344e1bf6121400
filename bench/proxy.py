"""Figures of proxy mode; see bench/proxy.sh."""
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import figures
from figures import BUILD, ROOT, ROUNDS, SECONDS

sys.path.insert(0, str(ROOT / "e2e/agent"))
from world import World, wait_for  # noqa: E402

CLUSTER = "bench-proxy"
FUNCTION, INBOUND, OUTBOUND = 19490, 19491, 19492
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n" + b"x" * 64


def answer(connection):
    """A function that costs little: reads 1 KiB requests, says the same each time."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got = b""
    while (data := connection.recv(65536)):
        got += data
        while (end := got.find(b"\r\n\r\n")) >= 0 and len(got) >= end + 4 + 1024:
            got = got[end + 4 + 1024:]
            connection.sendall(ANSWER)


def function():
    listener = socket.create_server(("127.0.0.1", FUNCTION))
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def line(name, *rest, **more):
    figures.line(f"proxy.{name}", *rest, **more)


def load(agents, port, path, connections, bodies):
    return figures.load(agents, f"127.0.0.1:{port}", path, connections, SECONDS, bodies)


def measure(agents, bodies):
    """Without and with the proxy in turn, so that both see the same machine."""
    path = "/to/shop/billing/pay"
    added, plain = [], []
    for _ in range(ROUNDS):
        plain.append(load([], FUNCTION, "/pay", 1, bodies)["p50"])
        added.append(load(agents, OUTBOUND, path, 1, bodies)["p50"] - plain[-1])
    many = [load(agents, OUTBOUND, path, 32, bodies) for _ in range(ROUNDS)]
    best = min(many, key=lambda m: max(m["cpu"]))
    note = "POST of 1 KiB, keep-alive, through two agents to a function, all on this machine"
    line("added.p50", round(min(added), 1), "us",
         f"1 in flight, {note}; minus the same without agents ({min(plain):.0f} us)", 250,
         spread=[round(min(added), 1), round(max(added), 1)])
    line("rate", round(max(m["rate"] for m in many)), "1/s",
         f"32 in flight, {note}; agents, function and load share the cores")
    for i, name in enumerate(("outbound", "inbound")):
        cpu = best["cpu"][i]
        line(f"{name}.cpu", round(cpu, 1), "us", f"processor time of that agent a request, {note}")
        line(f"{name}.rate_of_a_core", round(1e6 / cpu), "1/s",
             "what one core of that agent carries, from its processor time a request", 5000, False)


def main():
    subprocess.run([str(ROOT / "hack/cluster/up"), "--mode", "control-plane", "--name", CLUSTER],
                   check=True, stdout=subprocess.DEVNULL)
    world = World(CLUSTER, BUILD / "bin")
    try:
        world.begin()
        billing, orders = (world.revision(f, f"{f}-1", 1)[0] for f in ("billing", "orders"))
        billing.start(inbound=FUNCTION, inbound_address=f"127.0.0.1:{INBOUND}")
        orders.start(outbound=f"billing=127.0.0.1:{INBOUND}",
                     local_address=f"127.0.0.1:{OUTBOUND}")
        for agent in (billing, orders):
            wait_for("ready", agent.ready, 30)
        threading.Thread(target=function, daemon=True).start()
        with tempfile.NamedTemporaryFile() as bodies:
            bodies.write((struct.pack(">I", 1024) + bytes(1024)) * 64)
            bodies.flush()
            measure((orders, billing), bodies.name)
    finally:
        world.end()
        subprocess.run([str(ROOT / "hack/cluster/down"), "--name", CLUSTER], check=False)


if __name__ == "__main__":
    main()
