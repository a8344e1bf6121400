"""Senders without an agent: what the examples in Python, JavaScript and C seal to the records that
kubectl prints, each replica opens."""
import json
import os
import subprocess

from world import NAMESPACE, ROOT

TEXT = b'{"id":"from outside"}'


def run(*command, data=None):
    done = subprocess.run([str(c) for c in command], cwd=ROOT, input=data, capture_output=True,
                          check=False)
    if done.returncode:
        raise AssertionError(f"{command}: {done.stderr.decode()}")
    return done.stdout


def in_c(world):
    build = world.bin.parent
    run("make", "-s", f"B={build}", "library")
    program = world.home / "seal"
    run("gcc", "-Ilib", "-o", program, "examples/senders/c/seal.c",
        build / "lib/libfunctionkey.a", "-lsecp256k1", "-lcrypto")
    return [program, NAMESPACE, "billing"]


def seal(story):
    world = story.world
    records, signed = world.home / "records.json", world.home / "key.json"
    records.write_text(world.kubectl(
        "-n", NAMESPACE, "get", "functionkeys", "-o", "json",
        "-l", "functionkey.dev/function=billing,functionkey.dev/role=leader"))
    signed.write_text(json.dumps(story.leader().peer("GET", "/v1/key").json()))
    scripts = [line.split() for line in
               run("e2e/interop/senders/run", "--commands").decode().splitlines()]
    assert len(scripts) == 2, scripts
    for command, file in [(c, f) for c in scripts for f in (records, signed)] + [
            (in_c(world), records)]:
        envelope = run(*command, file, "application/json", data=TEXT)
        for agent in story.billing:
            answer = agent.decrypt(envelope)
            have = answer.status, answer.body, answer.headers["Content-Type"]
            if have != (200, TEXT, "application/json"):
                raise AssertionError(f"{os.path.basename(str(command[-1]))}, {agent.name}: {have}")
