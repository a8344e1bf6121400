"""A namespace on an API server without a node: what the controller and kubelets would make, and
agents as processes in the place of pods. Used by e2e/agent/run and bench/agent."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = "shop"
NODE = "unreal"
LEASE = {"lease-duration": "6s", "lease-renew-deadline": "4s", "lease-retry": "1s"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=15):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def send_quietly(connection, body):
    try:
        connection.send(body)
    except OSError:
        pass  # whoever reads the answer will see


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def problem(self):
        if self.headers.get("Content-Type") != "application/problem+json":
            return ""
        return json.loads(self.body)["type"].rsplit("/", 1)[-1]

    def json(self):
        return json.loads(self.body)


class Agent:
    """One pod's agent: supervisor, keeper and network half."""

    def __init__(self, world, pod, port, address):
        self.world, self.pod, self.port, self.address = world, pod, port, address
        self.name = pod["metadata"]["name"]
        self.home = world.home / self.name
        self.home.mkdir()
        self.socket = str(self.home / "agent.sock")
        self.log = self.home / "log"
        self.process, self.config, self.begun = None, None, 0

    def start(self, certificates=None, **options):
        """certificates: a folder that this agent shall find as /etc/ssl/certs."""
        self.config = self.config or self.world.kubeconfig(self.pod, self.home)
        labels, owner = self.pod["metadata"]["labels"], self.pod["metadata"]["ownerReferences"][0]
        env = {
            "POD_NAME": self.name, "POD_NAMESPACE": self.world.namespace,
            "POD_UID": self.pod["metadata"]["uid"], "POD_IP": self.address,
            "FUNCTIONKEY_REVISION": labels["functionkey.dev/revision"],
            "FUNCTIONKEY_FUNCTION": labels["functionkey.dev/function"],
            "FUNCTIONKEY_OWNER_KIND": owner["kind"], "FUNCTIONKEY_OWNER_NAME": owner["name"],
            "FUNCTIONKEY_OWNER_UID": owner["uid"], "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
        }
        arguments = [str(self.world.bin / "functionkey-agent"), "run", "--socket", self.socket,
                     "--peer-address", f"[::]:{self.port}",
                     "--kubeconfig", str(self.config),
                     "--log-format", "json"]
        for name, value in {**LEASE, **options}.items():
            arguments.append(f"--{name.replace('_', '-')}={value}")
        if certificates:
            arguments = ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
                         'mount --bind "$0" /etc/ssl/certs && exec "$@"', str(certificates),
                         *arguments]
        with open(self.log, "ab") as log:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(arguments, env=env, stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    def pids(self):
        """By program: agent (the supervisor), keeper, network."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or os.getsid(int(entry.name)) != self.process.pid:
                    continue
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, ProcessLookupError):
                continue
            for program in ("agent", "keeper", "network"):
                if words[0].endswith(b"functionkey-" + program.encode()):
                    found[program] = int(entry.name)
        return found

    def private_bytes(self):
        total = 0
        for pid in self.pids().values():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss_Anon:"):
                    total += int(line.split()[1]) * 1024
        return total

    def kill(self):
        """As a node that loses power: everything at once."""
        for pid in self.pids().values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(timeout=10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()

    def request(self, method, path, body=None, headers=None, timeout=15):
        connection, sender = UnixConnection(self.socket, timeout), None
        try:
            if body is None or len(body) <= 1 << 20:
                connection.request(method, path, body=body, headers=headers or {})
            else:  # answers that are streams are read while the body is sent
                connection.putrequest(method, path)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    connection.putheader(name, value)
                connection.endheaders()
                sender = threading.Thread(target=send_quietly, args=(connection, body))
                sender.start()
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            if sender:
                sender.join()
            connection.close()

    def peer(self, method, path, body=None, headers=None, timeout=5):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def ready(self):
        try:
            return self.request("GET", "/readyz", timeout=2).status == 200
        except OSError:
            return False

    def status(self):
        return self.request("GET", "/v1/status").json()

    def encrypt(self, to, body, headers=None):
        return self.request("POST", f"/v1/encrypt?to={to}", body,
                            {"Content-Type": "text/plain", **(headers or {})})

    def decrypt(self, message, headers=None):
        return self.request("POST", "/v1/decrypt", message, headers)


def wait_for(what, condition, seconds=20, step=0.02):
    """The time that it took; raises when it does not come true."""
    begun = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - begun
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def free_port(port):
    """The first one from `port` on that nobody has on loopback, below those that the kernel deals."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                port += 1


def in_url(address):
    return f"[{address}]" if ":" in address else address


def loopbacks():
    """Of each IP family that this machine has."""
    found = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.bind((address, 0))
                found.append(address)
        except OSError:
            pass
    return found


class World:
    namespace = NAMESPACE

    def __init__(self, cluster, binaries=None, addresses=("127.0.0.1",)):
        self.cluster, self.addresses = cluster, addresses  # of pods, in turn
        self.port = 20000 + os.getpid() % 10000  # two runs on one machine keep apart
        self.bin = pathlib.Path(binaries or ROOT / "build/bin")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="functionkey-agents-"))
        self.agents = []

    def kubectl(self, *arguments, given=None):
        run = subprocess.run([str(ROOT / "hack/cluster/kubectl"), *arguments], input=given,
                             env={**os.environ, "FK_CLUSTER": self.cluster}, text=True,
                             capture_output=True, check=False)
        if run.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {run.stderr.strip()}")
        return run.stdout

    def get(self, kind, name):
        return json.loads(self.kubectl("-n", self.namespace, "get", kind, name, "-o", "json"))

    def apply(self, *objects):
        self.kubectl("apply", "-f", "-", given=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def begin(self, policies=("keys", "leases", "records")):
        self.kubectl("apply", "-f", str(ROOT / "crds/functionkey.yaml"),
                     "-f", str(ROOT / "manifests/base/rbac-agent.yaml"),
                     *[word for name in policies
                       for word in ("-f", str(ROOT / f"manifests/base/policy-{name}.yaml"))])
        self.kubectl("wait", "--for=condition=Established", "crd/functionkeys.functionkey.dev")
        self.apply(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
             "metadata": {"name": "functionkey-agent", "namespace": self.namespace},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                         "name": "functionkey-agent"},
             "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io",
                           "name": f"system:serviceaccounts:{self.namespace}"}]})
        wait_for("service account", lambda: self.kubectl(
            "-n", self.namespace, "get", "serviceaccount", "default", "--ignore-not-found"))

    def revision(self, function, revision, replicas, **spec):
        """A ReplicaSet with its pods, and what the controller makes for it."""
        labels = {"app": function, "functionkey.dev/revision": revision,
                  "functionkey.dev/function": function}
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet",
                 "metadata": {"name": revision, "namespace": self.namespace},
                 "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                          "template": {"metadata": {"labels": labels}, "spec": {
                              "nodeName": NODE,
                              "tolerations": [{"operator": "Exists"}],
                              "containers": [{"name": "function", "image": "none"}]}}}}
        self.apply(owner)
        uid = self.get("replicaset", revision)["metadata"]["uid"]
        self.apply({"apiVersion": "functionkey.dev/v1alpha1", "kind": "FunctionKey",
                    "metadata": {"name": revision, "namespace": self.namespace,
                                 "labels": {"functionkey.dev/for": revision,
                                            "functionkey.dev/revision": revision,
                                            "functionkey.dev/function": function,
                                            "functionkey.dev/role": "leader"},
                                 "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
                                                      "name": revision, "uid": uid,
                                                      "controller": True}]},
                    "spec": {"role": "Leader", "revision": revision, "function": function,
                             "scheme": "umbral-secp256k1", **spec}},
                   {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": f"fk-{revision}", "namespace": self.namespace}, "spec": {}})
        return [self.agent(pod) for pod in self.pods(revision, replicas)]

    def no_holder(self, revision):
        """What the controller says when the last replica that could open the active key is gone."""
        epoch = self.get("functionkey", revision)["status"]["activeEpoch"]
        said = {"type": "NoHolder", "status": "True", "reason": "LastHolderGone", "message": "gone",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}
        self.kubectl("-n", self.namespace, "patch", "functionkey", revision,
                     "--subresource=status", "--type=merge", "-p", json.dumps(
                         {"status": {"observedEpoch": epoch, "conditions": [said]}}))

    def pods(self, revision, count):
        def list_pods():
            listed = json.loads(self.kubectl("-n", self.namespace, "get", "pods", "-o", "json", "-l",
                                             f"functionkey.dev/revision={revision}"))
            return [p for p in listed["items"] if "deletionTimestamp" not in p["metadata"]]
        wait_for(f"{count} pods of {revision}", lambda: len(list_pods()) >= count)
        for number, pod in enumerate(list_pods()):
            address = self.addresses[number % len(self.addresses)]
            self.kubectl("-n", self.namespace, "patch", "pod", pod["metadata"]["name"],
                         "--subresource=status", "--type=merge", "-p", json.dumps({"status": {
                             "phase": "Running", "podIP": address,
                             "podIPs": [{"ip": address}],
                             "conditions": [{"type": "Ready", "status": "True"}]}}))
        return list_pods()

    def agent(self, pod):
        self.port = free_port(self.port + 1)
        agent = Agent(self, pod, self.port, pod["status"]["podIP"])
        self.agents.append(agent)
        return agent

    def kubeconfig(self, pod, folder):
        """With a token that is bound to the pod, as a kubelet projects it."""
        meta = pod["metadata"]
        token = self.kubectl("-n", self.namespace, "create", "token", "default", "--duration=2h",
                             "--bound-object-kind=Pod", f"--bound-object-name={meta['name']}",
                             f"--bound-object-uid={meta['uid']}").strip()
        config = json.loads(self.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        config["users"] = [{"name": "pod", "user": {"token": token}}]
        config["contexts"] = [{"name": "pod", "context": {
            "cluster": config["clusters"][0]["name"], "user": "pod", "namespace": self.namespace}}]
        config["current-context"] = "pod"
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def end(self):
        for agent in self.agents:
            agent.stop()
        shutil.rmtree(self.home, ignore_errors=True)
