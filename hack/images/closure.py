"""Which shared libraries a program needs, and where they belong in an image."""
import os
import re
import subprocess

LIBRARY_FOLDERS = [f"/usr/lib/{os.uname().machine}-linux-gnu", "/usr/lib"]

# Debian's merged /usr: everything is stored there, these lead to it.
MERGED = ["bin", "lib", "lib64", "sbin"]


class MissingLibrary(Exception):
    """A program needs a library that is not installed."""


def merged(path):
    """The path that a file has under merged /usr: /lib/x is /usr/lib/x."""
    top = path.split("/")[1]
    return "/usr" + path if top in MERGED else path


def find_library(name):
    for folder in LIBRARY_FOLDERS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise MissingLibrary(f"{name} is not installed")


def needs(path):
    """The libraries that the loader maps for PATH, itself included; none for a static program."""
    answer = subprocess.run(["ldd", path], capture_output=True, text=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    if answer.returncode != 0:
        if "not a dynamic executable" in answer.stdout + answer.stderr:
            return set()
        raise MissingLibrary(f"ldd {path}: {answer.stderr.strip()}")
    missing = re.findall(r"^\s*(\S+) => not found", answer.stdout, re.MULTILINE)
    if missing:
        raise MissingLibrary(f"{path} needs {', '.join(missing)}, not installed")
    return {merged(found) for found in re.findall(r"(/\S+) \(0x[0-9a-f]+\)", answer.stdout)}


def closure(programs, libraries):
    """What PROGRAMS (paths) need, and LIBRARIES (names) with what these need."""
    found = set()
    for program in programs:
        found |= needs(program)
    for name in libraries:
        path = find_library(name)
        found |= {path} | needs(path)
    return found
