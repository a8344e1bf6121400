"""The examples of README.md and docs, run as they stand beside real agents. Used by e2e/agent/local.

An example is a block ```sh, or a piece of code in a line, with curl to a socket or to loopback or with
kubectl functionkey. Each is a row of EXAMPLES or of NOT_RUN; one that is neither, and a row without
an example, is a failure: so no new one is forgotten.

They run where /run/functionkey is the agent's folder and 127.0.0.1:9470 its proxy, in namespaces of
their own: the text is not edited.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

from world import NAMESPACE, ROOT

# Commands without a socket: what they show is in the kubeconfig's namespace.
NOT_RUN = {
    ("docs/injection.md", "inotifywait"): "ends with the watched folder only",
    ("README.md", "kubectl functionkey why "): "names a pod of the picture in the README",
    ("README.md", "kubectl functionkey decrypt "): "reaches into a pod that runs: e2e/node",
}


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        a.close()
        b.close()


class Forwarder:
    """Whoever connects to the listener is connected with what `connect` gives."""

    def __init__(self, listener, connect):
        self.listener, self.connect = listener, connect
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            try:
                there = self.connect()
            except OSError:
                here.close()
                continue
            for pair in ((here, there), (there, here)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


def to_unix(path):
    def connect():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(path)
        return s
    return connect


def to_port(port):
    return lambda: socket.create_connection(("127.0.0.1", port))


def listen_unix(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(64)
    return s


def listen_port(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(64)
    return s


def examples():
    """(document, text) of each."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        name, text = str(path.relative_to(ROOT)), path.read_text()
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.S | re.M):
            if "inotifywait" in block or re.search(r"\bcurl (?!-sSf)", block):
                yield name, block
            elif "kubectl functionkey" in block:
                for line in block.splitlines():
                    yield name, line
        for line in re.findall(r"`(curl [^`\n]*)`", text):
            yield name, line


class Place:
    """Namespaces with the agent's folder, its proxy, and the commands that examples use."""

    def __init__(self, world, sender, opener, outbound):
        self.world, self.sender, self.opener = world, sender, opener
        self.home = tempfile.mkdtemp(dir=world.home)
        self.proxy = str(sender.home / "outbound.sock")
        Forwarder(listen_unix(self.proxy), to_port(outbound))
        self.commands = self.home + "/bin"
        os.mkdir(self.commands)
        programs = subprocess.run(
            ["bash", "-c", f"source {ROOT}/hack/cluster/lib.sh; use_programs; echo $PROGRAMS"],
            capture_output=True, text=True, check=True).stdout.strip()
        for name, target in (("kubectl", f"{programs}/kubectl"),
                             ("kubectl-functionkey", world.bin / "kubectl-functionkey")):
            with open(f"{self.commands}/{name}", "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\nexec '{target}' \"$@\"\n")
            os.chmod(f"{self.commands}/{name}", 0o755)
        self.kubeconfig = self.home + "/kubeconfig"
        config = json.loads(world.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        for context in config["contexts"]:
            context["context"]["namespace"] = NAMESPACE
        with open(self.kubeconfig, "w", encoding="utf-8") as f:
            json.dump(config, f)

    def run(self, text, agent, expect=(0,)):
        """A shell's standard output; agent: whose pod it is."""
        work = tempfile.mkdtemp(dir=self.home)
        script = "set -eu -o pipefail\n" + text
        if "kubectl functionkey" in text:  # needs the API server: no network of its own
            command = ["bash", "-c", script]
        else:
            command = ["unshare", "--mount", "--net", "--propagation", "private", sys.executable,
                       __file__, str(agent.home), script]
        run = subprocess.run(command, cwd=work, capture_output=True, check=False, timeout=60, env={
            "PATH": f"{self.commands}:{os.environ['PATH']}", "HOME": os.environ["HOME"],
            "KUBECONFIG": self.kubeconfig, "FK_CLUSTER": self.world.cluster,
            "PYTHONDONTWRITEBYTECODE": "1",
            "FK_STATE": os.environ.get("FK_STATE", str(ROOT / "build/cluster"))})
        if run.returncode not in expect:
            raise AssertionError(f"{text}: exit code {run.returncode}: {run.stderr.decode()}")
        return run.stdout


def same(have, want):
    if have != want:
        raise AssertionError(f"have {have!r}, want {want!r}")


def readme_curl(place, text):
    """What was sealed to the function is opened by its own replica, byte for byte."""
    same(place.run(text, place.opener), b'{"id":1}')


def event(place, text):
    opened = place.opener.decrypt(place.run(text, place.sender))
    same((opened.status, opened.body, opened.headers["Ce-Id"], opened.headers["Content-Type"]),
         (200, b'{"card":"4111"}', "41", "application/json"))


def status(place, text):
    same(json.loads(place.run(text, place.sender))["self"]["pod"], place.sender.name)


def proxied(place, text):
    have = json.loads(place.run(text, place.sender))
    same((have["method"], have["path"], have["body"]), ("POST", "/pay?order=7", '{"amount": 12}'))


def checks(place, text):
    # There is no controller here, and check says so: 1.
    if b"functionkey" not in place.run(text, place.sender, expect=(0, 1)):
        raise AssertionError("says nothing")


def shows(place, text):
    # 1: something is not ready, such as the pods that no kubelet runs.
    if b"billing" not in place.run(text, place.sender, expect=(0, 1)):
        raise AssertionError("no billing")


def encrypts(place, text):
    same(place.opener.decrypt(place.run(text + "\ncat message", place.sender)).body, b"hi\n")


def renews(place, text):
    before = place.opener.status()["epoch"]
    place.run(text, place.sender)
    record = place.world.get("functionkey", "billing-1")["status"]
    if record["activeEpoch"] <= before:
        raise AssertionError(f"{record['activeEpoch']} after {before}")


EXAMPLES = {
    ("README.md", "curl --unix-socket /run/functionkey/agent.sock -H 'Content-Type"): readme_curl,
    ("README.md", "kubectl functionkey check "): checks,
    ("README.md", "kubectl functionkey status "): shows,
    ("README.md", "kubectl functionkey encrypt "): encrypts,
    ("README.md", "kubectl functionkey renew "): renews,
    ("docs/cloudevents.md", "Ce-Type: order.placed"): event,
    ("docs/proxy.md", "curl http://127.0.0.1:9470/to/shop/billing/pay"): proxied,
    ("docs/troubleshooting.md", "/v1/status"): status,
}


def all_run(place):
    used, ran = set(), 0
    for document, text in examples():
        row = [key for key in (*EXAMPLES, *NOT_RUN) if key[0] == document and key[1] in text]
        if len(row) != 1:
            raise AssertionError(f"{document}: no row, or more than one: {text}")
        used.add(row[0])
        if row[0] in EXAMPLES:
            EXAMPLES[row[0]](place, text)
            ran += 1
    unused = set([*EXAMPLES, *NOT_RUN]) - used
    if unused:
        raise AssertionError(f"rows without an example: {unused}")
    return f"{ran} run, {len(NOT_RUN)} not: " + "; ".join(
        f"{words.strip()} {why}" for (_, words), why in NOT_RUN.items())


def inside(folder, script):
    """In the namespaces: makes the place, runs the script."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    os.mkdir("/run/functionkey")
    subprocess.run(["mount", "--bind", folder, "/run/functionkey"], check=True)
    Forwarder(listen_port(9470), to_unix("/run/functionkey/outbound.sock"))
    sys.exit(subprocess.run(["bash", "-c", script], check=False).returncode)


if __name__ == "__main__":
    inside(*sys.argv[1:])
