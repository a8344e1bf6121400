"""Hooks of schemathesis: without them all that it makes up is refused for the same few reasons.
Every other well-formed request names a function that exists, and every other message was sealed by
an agent, whole or altered. Data that is wrong by the document stays as it is."""
import itertools
import os
import pathlib

import schemathesis
import yaml

MESSAGES = [path.read_bytes() for path in
            sorted(pathlib.Path(os.environ["FUNCTIONKEY_MESSAGES"]).glob("*.sealed"))]
DOCUMENT = yaml.safe_load(pathlib.Path(os.environ["FUNCTIONKEY_DOCUMENT"]).read_text("utf-8"))
EVERY = itertools.count()


@schemathesis.serializer("application/vnd.functionkey.v1+cbor",
                         "application/vnd.functionkey.v1.stream")
def as_bytes(context, value):
    return value.encode() if isinstance(value, str) else bytes(value)


def is_good(case):
    mode = getattr(getattr(case.meta, "generation", None), "mode", None)
    return mode is not None and mode.name == "POSITIVE"


def altered(message, number):
    at = number * 31 % len(message)
    return message[:at] + bytes([message[at] ^ 0x40]) + message[at + 1:]


@schemathesis.hook
def before_call(context, case, kwargs):
    number, path = next(EVERY), case.operation.path
    if case.method.lower() not in DOCUMENT["paths"][path]:
        # The longest parameters together are too long for a target, which then is the answer.
        case.query = {}
        return
    if not is_good(case) or number % 2:
        return
    if path == "/v1/encrypt" and "to" in (case.query or {}):
        case.query["to"] = ("billing", "shop/billing", "nobody", "elsewhere/billing")[number // 2 % 4]
    elif path in ("/v1/decrypt", "/v1/requests"):
        message = MESSAGES[number // 4 % len(MESSAGES)]
        case.body = altered(message, number) if number % 4 else message
        case.media_type = "application/octet-stream"
    elif path.startswith("/to/") or path == "/v1/keys/{namespace}/{function}":
        case.path_parameters.update(namespace="shop", function="billing")
