"""Announcements of new active keys: a sink that is there, away, busy, slow, elsewhere, or behind TLS,
and a revision of two agents that tell it; and /metrics on the pod's address."""
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time

from world import NAMESPACE, ROOT, free_port, in_url, wait_for


class Sink:
    """An HTTP server. answers: what the next requests get, (status, headers); then 202. None: no
    answer until the client goes."""

    def __init__(self, port, address="127.0.0.1", context=None):
        self.port, self.address, self.context, self.server = port, address, context, None
        self.requests, self.answers = [], []

    def up(self):
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.requests.append((time.monotonic(), self.path,
                                      {k.lower(): v for k, v in self.headers.items()}, body))
                answer = sink.answers.pop(0) if sink.answers else (202, {})
                if answer is None:
                    self.rfile.read(1)
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                for name, value in {"Content-Length": "0", "Connection": "close", **answer[1]}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # clients that end the handshake

        self.server = Server((self.address, self.port), Handler)
        if self.context:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self):
        scheme = "https" if self.context else "http"
        return f"{scheme}://{self.authority()}/events?from=test"

    def authority(self):
        return f"{in_url(self.address)}:{self.port}"

    def epochs(self):
        return [json.loads(body)["epoch"] for _, _, _, body in self.requests]


def same(have, want):
    if have != want:
        raise AssertionError(f"have {have!r}, want {want!r}")


def self_signed(folder, address):
    """A certificate for an address that is its own authority."""
    key, certificate = folder / "sink.key", folder / "sink.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=sink",
                    "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate.read_text()


class Notes:
    """Function notes: two replicas that announce."""

    def __init__(self, story):
        self.world = story.world
        self.sink = Sink(free_port(self.world.port + 500), self.world.addresses[0]).up()
        self.agents = []

    def record(self):
        return self.world.get("functionkey", "notes-1")

    def active(self):
        status = self.record()["status"]
        return next(k for k in status["keys"] if k["epoch"] == status["activeEpoch"])

    def leader(self):
        return next(a for a in self.agents
                    if a.process and a.process.poll() is None and a.status()["leading"])

    def renew(self):
        before = self.active()["epoch"]
        self.world.kubectl("-n", NAMESPACE, "patch", "functionkey", "notes-1", "--type=merge",
                           "-p", json.dumps({"spec": {"rotation": {"afterEpoch": before}}}))
        wait_for("the next key", lambda: self.active()["epoch"] == before + 1)
        return before + 1

    def count(self, agent, result):
        text = agent.request("GET", "/metrics").body.decode()
        name = f'functionkey_agent_announcements_total{{result="{result}"}} '
        return int(next((line[len(name):] for line in text.splitlines() if line.startswith(name)),
                        0))

    def arrives(self, epoch, seconds=20):
        return wait_for(f"epoch {epoch} at the sink", lambda: epoch in self.sink.epochs(), seconds)

    # -- the rows

    def announced_once(self):
        self.agents = self.world.revision("notes", "notes-1", 2)
        for agent in self.agents:
            agent.start(announce=self.sink.url(),
                        announce_overrides='{"extensions":{"team":"caf\\u00e9 1"}}')
        for agent in self.agents:
            wait_for(f"{agent.name} ready", agent.ready, 30)
        self.arrives(1)
        time.sleep(1.5)
        same(self.sink.epochs(), [1])
        _, path, headers, body = self.sink.requests[0]
        same((path, headers["host"], headers["content-type"], headers["ce-team"]),
             ("/events?from=test", self.sink.authority(), "application/json",
              "caf%C3%A9%201"))
        read = subprocess.run([str(ROOT / "e2e/interop/events/run"), "--received"], check=True,
                              input=json.dumps({"headers": headers, "body": body.decode()}),
                              capture_output=True, text=True).stdout
        event, record, key = json.loads(read), self.record(), self.active()
        attributes = event["attributes"]
        attributes.pop("team")
        same(attributes, {
            "specversion": "1.0", "id": f"{record['metadata']['uid']}-1",
            "source": f"/apis/functionkey.dev/v1alpha1/namespaces/{NAMESPACE}/functionkeys/notes-1",
            "type": "dev.functionkey.key.active", "subject": "notes",
            "datacontenttype": "application/json", "time": attributes["time"]})
        same(attributes["time"][:19], key["activatedAt"][:19])
        same(event["data"], {
            "namespace": NAMESPACE, "function": "notes", "revision": "notes-1",
            "scheme": "umbral-secp256k1", "epoch": 1, "fingerprint": key["fingerprint"],
            "publicKey": event["data"]["publicKey"],
            "continuityKey": event["data"]["continuityKey"]})
        signed = self.leader().peer("GET", "/v1/key").json()
        same((event["data"]["publicKey"], event["data"]["continuityKey"]),
             (signed["publicKey"], signed["continuityKey"]))
        same((self.count(self.leader(), "delivered"), self.count(self.leader(), "retried")), (1, 0))

    def sink_away(self):
        self.sink.down()
        epoch = self.renew()
        wait_for("a try that failed", lambda: self.count(self.leader(), "retried") > 0)
        self.sink.up()
        took = self.arrives(epoch)
        time.sleep(1)
        same(self.sink.epochs().count(epoch), 1)
        return f"arrived {took:.1f} s after the sink came back"

    def sink_busy(self):
        begun = len(self.sink.requests)
        self.sink.answers = [(429, {"Retry-After": "3"}), (503, {}), (202, {})]
        epoch = self.renew()
        wait_for("three tries", lambda: len(self.sink.requests) == begun + 3)
        times = [r[0] for r in self.sink.requests[begun:]]
        same(self.sink.epochs()[begun:], [epoch] * 3)
        same(len({r[2]["ce-id"] for r in self.sink.requests[begun:]}), 1)
        if times[1] - times[0] < 3 or times[2] - times[1] < 0.5:
            raise AssertionError(f"asked again too soon: {times}")

    def sink_elsewhere(self):
        begun, leader = len(self.sink.requests), self.leader()
        self.sink.answers = [(302, {"Location": "/other"}), (202, {})]
        self.renew()
        wait_for("it failed", lambda: self.count(leader, "failed") == 1)
        epoch = self.renew()
        self.arrives(epoch)
        same([r[1] for r in self.sink.requests[begun:]], ["/events?from=test"] * 2)
        wait_for("an event", lambda: "AnnouncementFailed" in self.world.kubectl(
            "-n", NAMESPACE, "get", "events.events.k8s.io"))

    def sink_slow(self):
        """It never answers: keys go on changing, the newest is told next."""
        leader = self.leader()
        dropped = self.count(leader, "dropped")
        self.sink.answers = [None]
        slow = self.renew()
        self.arrives(slow)
        epoch = self.renew()
        took = self.arrives(epoch)
        same((self.count(leader, "dropped"), leader.ready()), (dropped + 1, True))
        return f"the next one after {took:.1f} s"

    def next_leader_and_tls(self):
        """The other replica tells a sink behind TLS; first with an authority that is not the sink's."""
        folder = self.world.home / "tls"
        folder.mkdir()
        context, authority = self_signed(folder, self.sink.address)
        other = next(a for a in self.agents if a is not self.leader())
        plain, before = self.sink, self.active()["epoch"]
        self.sink = Sink(free_port(plain.port + 1), plain.address, context).up()
        foreign = pathlib.Path(self.world.home / "foreign")
        foreign.mkdir()
        for ca in (self_signed(foreign, plain.address)[1], authority):
            leader = self.leader()
            other.stop()
            other.start(announce=self.sink.url(), announce_ca=ca)
            wait_for("ready again", other.ready, 30)
            leader.stop()
            wait_for("it leads", lambda: other.status()["leading"] and
                     self.active()["epoch"] > before, 30)
            before = self.active()["epoch"]
            if ca == authority:
                self.arrives(before)
                break
            wait_for("a try that failed", lambda: self.count(other, "retried") > 0)
            same(self.sink.requests, [])
            leader.start(announce=self.sink.url(), announce_ca=ca)
            wait_for("ready again", leader.ready, 30)
            other = leader
        same(set(self.sink.epochs()), {before})
        self.sink.down()
        plain.down()

    def lead_with(self, **options):
        """The replica that does not lead is started anew so, and takes the lead; the other one goes."""
        leader = self.leader()
        other, before = next(a for a in self.agents if a is not leader), self.active()["epoch"]
        other.stop()
        other.start(**options)
        wait_for("ready again", other.ready, 30)
        leader.stop()
        wait_for("it leads", lambda: other.status()["leading"] and
                 self.active()["epoch"] > before, 30)
        return other

    def tls_by_the_system(self):
        """https without --announce-ca: the system's authorities count; without any it is not tried."""
        home, stores = self.world.home / "stores", {}
        for name in ("sink", "empty", "foreign", "own"):
            stores[name] = home / name
            stores[name].mkdir(parents=True)
        address = self.sink.address
        context, authority = self_signed(stores["sink"], address)
        foreign = self_signed(stores["empty"], address)[1]
        for name, known in (("foreign", foreign), ("own", authority)):
            (stores[name] / "ca-certificates.crt").write_text(known)
        for left in stores["empty"].iterdir():
            left.unlink()
        self.sink = Sink(free_port(self.sink.port + 1), address, context).up()

        alone = next(a for a in self.agents if a is not self.leader())
        said = alone.log.read_text().count("there are no certificates in /etc/ssl/certs/ca-certificates.crt")
        alone.start(certificates=stores["empty"], announce=self.sink.url())
        wait_for("ready without a store", alone.ready, 30)
        log = alone.log.read_text()
        same(log.count("there are no certificates in /etc/ssl/certs/ca-certificates.crt"), said + 1)
        if "active keys are not announced" not in log:
            raise AssertionError("the log does not say that nothing is announced")

        leader = self.lead_with(certificates=stores["foreign"], announce=self.sink.url())
        wait_for("a try that failed", lambda: self.count(leader, "retried") > 0)
        same((self.count(leader, "delivered"), self.sink.requests), (0, []))
        same("certificate" in leader.log.read_text().rsplit(
            "announcing the active key failed", 1)[-1].splitlines()[0].lower(), True)

        leader = self.lead_with(certificates=stores["own"], announce=self.sink.url())
        self.arrives(self.active()["epoch"])
        same(self.count(leader, "delivered"), 1)
        self.sink.down()

    def bad_sinks(self):
        """A sink that is none is no reason for a function not to run."""
        agent = next(a for a in self.agents if a.process.poll() is not None)
        said = [agent.log.read_text().count("active keys are not announced")]
        for options in ({"announce": "http://user:secret@sink/"}, {"announce": "true"},
                        {"announce": "http://sink/", "announce_overrides": '{"extensions":7}'}):
            agent.start(**options)
            wait_for("ready", agent.ready, 30)
            said.append(agent.log.read_text().count("active keys are not announced"))
            same((options, said[-1] - said[-2]), (options, 1))
            agent.stop()
        if "secret" in agent.log.read_text():
            raise AssertionError("the log shows a password")

    # -- metrics

    def scraped(self):
        """On the pod's address: GET /metrics, and nothing else."""
        agent, port = self.agents[0], free_port(self.world.port + 600)
        agent.stop()
        family = socket.AF_INET6 if ":" in agent.address else socket.AF_INET
        with socket.create_server((agent.address, port), family=family):
            agent.start(metrics_port=port)
            wait_for("ready with its port taken", agent.ready, 30)
            if "cannot serve metrics" not in agent.log.read_text():
                raise AssertionError("the log says nothing")
        agent.stop()
        agent.start(metrics_port=port)
        wait_for("ready", agent.ready, 30)

        def ask(method, path, headers=None, body=None):
            connection = http.client.HTTPConnection(agent.address, port, timeout=5)
            try:
                connection.request(method, path, body=body, headers=headers or {})
                answer = connection.getresponse()
                return answer.status, answer.headers["Content-Type"], answer.read()
            finally:
                connection.close()

        status, kind, text = ask("GET", "/metrics")
        same((status, kind.split(";")[0]), (200, "text/plain"))
        lint = subprocess.run(["promtool", "check", "metrics"], input=text, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        same((lint.returncode, lint.stdout.decode()), (0, ""))
        for word in (agent.name, agent.address, self.agents[1].name):
            if word.encode() in text:
                raise AssertionError(f"{word} in the metrics")
        rows = [("GET", "/", None, 404), ("GET", "/v1/status", None, 404),
                ("GET", "/v1/keys", None, 404), ("POST", "/v1/decrypt", b"x", 404),
                ("GET", "/readyz", None, 404), ("POST", "/metrics", b"x", 405),
                ("PUT", "/metrics", b"x", 405), ("DELETE", "/metrics", None, 405),
                ("GET", "/metrics/../v1/status", None, 400), ("GET", "/metrics/", None, 404)]
        for method, path, body, want in rows:
            same((method, path, ask(method, path, body=body)[0]), (method, path, want))
            time.sleep(0.25)  # five requests a second
        same(ask("GET", "/metrics", {"X": "y" * 8000})[0], 431)
        idle = [socket.create_connection((agent.address, port)) for _ in range(40)]
        turned = sum(b"503" in s.recv(200) for s in idle[4:])
        same(turned, 36)
        same(agent.ready(), True)
        for s in idle:
            s.close()
        wait_for("a scrape", lambda: ask("GET", "/metrics")[0] == 200, 5, 0.3)
        burst = [ask("GET", "/metrics")[0] for _ in range(20)]
        if burst.count(429) + burst.count(503) < 5 or 200 not in burst:
            raise AssertionError(f"not bounded: {burst}")
        for a in self.agents:
            a.stop()
