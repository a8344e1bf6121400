"""kubectl functionkey beside real agents: what it seals they open, what it asks for they do. Used by
e2e/agent/run."""
import json
import os
import subprocess

from world import NAMESPACE, ROOT, wait_for

MIB = 1 << 20


def plugin(world, *arguments, given=b"", code=0):
    kubeconfig = ROOT / os.environ.get("FK_STATE", "build/cluster") / world.cluster / "kubeconfig"
    run = subprocess.run([str(world.bin / "kubectl-functionkey"), *arguments, "-n", NAMESPACE],
                         input=given, capture_output=True, check=False, timeout=60,
                         env={**os.environ, "KUBECONFIG": str(kubeconfig)})
    if run.returncode != code:
        raise AssertionError(f"{arguments}: exit code {run.returncode}: {run.stderr.decode()}")
    return run.stdout


def active(world, revision="billing-1"):
    return json.loads(plugin(world, "status", revision, "-o", "json", code=1))["revisions"][0]


def opens(agent, message):
    return agent.decrypt(message).status == 200


def encrypts(story):
    """Whole messages and streams, opened by every replica; what it may refuse, it refuses."""
    world = story.world
    for size in (0, 1, 5000, MIB, MIB + 1, 3 * MIB + 7):
        text = os.urandom(size)
        story.all_open(plugin(world, "encrypt", "--to", "billing", given=text), text)
    keys = active(world)["keys"]
    good = next(k["fingerprint"] for k in keys if k["state"] == "Active")
    to = ["encrypt", "--to", f"{NAMESPACE}/billing"]
    story.all_open(plugin(world, *to, "--expect", good, given=b"x"), b"x")
    for arguments, code in ((["--expect", "0" * 32], 4), (["/nowhere"], 2)):
        if plugin(world, *to, *arguments, given=b"x", code=code):
            raise AssertionError(f"{arguments}: something was written")
    plugin(world, "encrypt", "--to", "nobody", code=1)
    plugin(world, "encrypt", code=2)


def settled(story):
    """Somebody leads and no key is on its way: a leader that is new makes one by itself."""
    status = active(story.world)
    return (status["epoch"] == status["activeEpoch"]
            and any(a.status()["leading"] for a in story.billing))


def renews(story):
    """A new key on demand; what was sealed before is opened."""
    wait_for("a leader and its key", lambda: settled(story))
    world, before = story.world, active(story.world)["activeEpoch"]
    old = story.seal(b"before")
    plugin(world, "renew", "billing", "--dry-run=client")
    plugin(world, "renew", "billing", "--dry-run=server")
    if active(world)["activeEpoch"] != before:
        raise AssertionError("a dry run changed something")
    plugin(world, "renew", "billing", "--wait")
    keys = {k["epoch"]: (k["state"], k["reason"]) for k in active(world)["keys"]}
    if keys[before] != ("Retired", "Rotated") or keys[before + 1][0] != "Active":
        raise AssertionError(f"{keys}")
    new = plugin(world, "encrypt", "--to", "billing", given=b"after")
    wait_for("replicas open the new key", lambda: all(opens(a, new) for a in story.billing))
    story.all_open(old, b"before")
    story.all_open(new, b"after")


def revokes(story):
    """A member that is revoked does not open what comes after; the others do."""
    for agent in story.billing:
        if agent.process.poll() is not None:
            agent.start()
        wait_for(f"{agent.name} ready", agent.ready)
    world, gone = story.world, next(a for a in story.billing if a is not story.leader())
    rest = [a for a in story.billing if a is not gone]
    before = active(world)["activeEpoch"]
    plugin(world, "revoke", gone.name, "--dry-run=server")
    plugin(world, "revoke", "nobody", code=1)
    plugin(world, "revoke", gone.name, "--wait")
    now = active(world)
    if now["revoked"] != [gone.pod["metadata"]["uid"]] or now["activeEpoch"] <= before:
        raise AssertionError(f"{now}")
    plugin(world, "revoke", gone.name, code=1)
    message = plugin(world, "encrypt", "--to", "billing", given=b"not for it")
    wait_for("the others open the new key", lambda: all(opens(a, message) for a in rest))
    story.all_open(message, b"not for it", rest)
    if opens(gone, message):
        raise AssertionError("the revoked replica opens it")
