"""What checks written in Python share: which files git tracks, and which of them are tests."""
import os
import re
import subprocess

TEST = re.compile(r"_(test|torture|fuzz|ctime|bench)\.[ch]$")


def tracked(root, *patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=root, capture_output=True, check=True)
    names = out.stdout.decode().split("\0")
    return sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))


def says_for_tests(text):
    """Whether the first comment of a file says that it is for tests."""
    first = " ".join(text.split("*/")[0].replace("*", " ").split())
    return bool(re.search(r"Tests (and benchmarks )?only|[Ff]or tests of", first))


def sources(root):
    """The C files of programs and archives."""
    return [p for p in tracked(root, "*.c") if not TEST.search(p)]


def finish(name, wrong):
    for line in wrong:
        print(line)
    print(f"{name}: {len(wrong)} wrong")
    return 1 if wrong else 0
