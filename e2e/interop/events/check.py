"""Events of the CloudEvents SDK through two agents, in both modes, and what must be refused."""
import base64
import http.client
import json
import socket
import sys

from cases import verdict
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_http

STRUCTURED, ENVELOPE = "application/cloudevents+json", "application/vnd.functionkey.v1"
FRAMING = ("connection", "content-length", "date", "trailer", "transfer-encoding")
CORE = {"id": "41/7", "source": "/orders", "type": "order.placed", "subject": "a b",
        "time": "2026-01-02T03:04:05.250000+02:00"}
REST = {**CORE, "datacontenttype": "application/json", "dataschema": "https://example.com/order"}


def ask(path, target, body, headers=None, chunked=False):
    connection = http.client.HTTPConnection("localhost", timeout=15)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(15)
    connection.sock.connect(path)
    try:
        given = iter([body]) if chunked else body
        try:
            connection.request("POST", target, body=given, headers=headers or {},
                               encode_chunked=chunked)
        except BrokenPipeError:
            pass  # refused before all of it was sent
        answer = connection.getresponse()
        headers = {k.lower(): v for k, v in answer.getheaders() if k.lower() not in FRAMING}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def encrypt(headers, body, **more):
    return ask(SENDER, "/v1/encrypt?to=billing", body, headers, **more)


def decrypt(headers, body, **more):
    return ask(OPENER, "/v1/decrypt", body, headers, **more)


def same(have, want):
    if have != want:
        raise AssertionError(f"have {have!r}, want {want!r}")


def refused(answer, status, problem):
    same((answer[0], json.loads(answer[2])["type"].rsplit("/", 1)[-1]), (status, problem))


def good(answer):
    if answer[0] != 200:
        raise AssertionError(f"{answer[0]} {answer[2]!r}")
    return answer[1:]


def whole(event):
    return {**event.get_attributes(), "data": event.get_data()}


def original(**extensions):
    return CloudEvent({**REST, **extensions}, {"order": 41, "card": "4111"})


def outer_is(headers, body, extra=()):
    """The SDK reads what came out as an event of its own, with an envelope as its data."""
    outer = from_http(headers, body)
    attributes = outer.get_attributes()
    for name, value in {**CORE, "specversion": "1.0"}.items():
        same((name, attributes.get(name)), (name, value))
    for name in ("dataschema", *extra):
        same((name, attributes.get(name)), (name, None))
    if b"4111" in (outer.get_data() or b""):
        raise AssertionError("not sealed")
    return outer


def percent(headers):
    """The HTTP binding asks for it; this SDK does not do it."""
    return {k: v.replace(" ", "%20") if k.startswith("ce-") else v for k, v in headers.items()}


def plain(headers):
    return {k: v.replace("%20", " ") if k.startswith("ce-") else v for k, v in headers.items()}


def binary():
    event = original()
    sent, data = to_binary(event)
    headers, sealed = good(encrypt(percent(sent), data))
    same(headers["content-type"], ENVELOPE + "+cbor")
    outer_is(plain(headers), sealed)
    headers, opened = good(decrypt(headers, sealed))
    same(opened, data)
    same(whole(from_http(plain(headers), opened)), whole(event))


def structured(chunked=False):
    event = original(traceparent="00-1", count=7)
    sent, data = to_structured(event)
    headers, sealed = good(encrypt(sent, data, chunked=chunked))
    same(headers["content-type"], STRUCTURED)
    outer = outer_is(headers, sealed, ("traceparent", "count"))
    same(outer["datacontenttype"], ENVELOPE + "+cbor")
    headers, opened = good(decrypt(headers, sealed, chunked=chunked))
    same((headers["content-type"], opened), (STRUCTURED, data))
    same([name for name in headers if name.startswith("ce-")], [])
    same(whole(from_http(headers, opened)), whole(event))


def structured_without_length():
    structured(chunked=True)


def sdk_writes_the_outer_event_anew():
    """What a broker does: the event is parsed and sent on in the other mode."""
    event = original()
    for make in (to_binary, to_structured):
        sent, data = make(event)
        headers, sealed = good(encrypt(percent(sent), data))
        outer = from_http(plain(headers), sealed)
        outer["time"] = "2026-01-02T01:04:05.25Z"
        for on in (to_binary, to_structured):
            again, body = on(outer, lambda data: data) if on is to_binary else on(outer)
            headers, opened = good(decrypt(percent(again), body))
            same(whole(from_http(plain(headers), opened)), whole(event))


def accept_asks_for_structured():
    event = original()
    sent, data = to_binary(event)
    headers, sealed = good(encrypt(percent(sent), data))
    headers, opened = good(decrypt({**headers, "accept": STRUCTURED}, sealed))
    same(headers["content-type"], STRUCTURED)
    inner = from_http(headers, opened)
    same(inner.get_attributes(), event.get_attributes())
    same(inner.get_data(), event.get_data())


def binary_data_and_large():
    """512 KiB of every byte, in both modes; a stream in binary mode."""
    data = bytes(range(256)) * 2048  # structured: 4/3 of it
    event = CloudEvent({**CORE, "datacontenttype": "application/x"}, data)
    for make in (to_binary, to_structured):
        sent, body = make(event)
        headers, sealed = good(encrypt(percent(sent), body))
        headers, opened = good(decrypt(headers, sealed))
        same((opened == body, from_http(plain(headers), opened).get_data() == data), (True, True))
    # Short enough for a client that does not read before all is sent.
    event = CloudEvent({**CORE, "datacontenttype": "application/x"}, data[:100000])
    sent, body = to_binary(event)
    headers, sealed = good(encrypt(percent(sent), body, chunked=True))
    same(headers["content-type"], ENVELOPE + ".stream")
    outer_is(plain(headers), sealed)
    back, opened = good(decrypt(headers, sealed))
    same((opened == body, from_http(plain(back), opened).get_attributes()),
         (True, event.get_attributes()))
    refused(decrypt({**headers, "ce-id": "x"}, sealed), 422, "tampered")
    refused(decrypt({"content-type": STRUCTURED}, json.dumps({
        "specversion": "1.0", **CORE, "data_base64": base64.b64encode(sealed).decode()})),
        400, "malformed")
    refused(encrypt({"content-type": STRUCTURED}, b" " * ((1 << 20) + 1)), 413, "too-large")
    refused(encrypt({"content-type": STRUCTURED}, b" " * ((1 << 20) + 1), chunked=True),
            413, "too-large")


def altered_outside():
    sent, data = to_binary(original())
    headers, sealed = good(encrypt(percent(sent), data))
    for name, value in (("ce-id", "42"), ("ce-source", "/attacker"), ("ce-type", "order.refunded"),
                        ("ce-subject", "b"), ("ce-time", "2026-01-02T03:04:06Z"),
                        ("ce-dataschema", "https://example.com/other")):
        refused(decrypt({**headers, name: value}, sealed), 422, "tampered")
    for name in ("ce-subject", "ce-time"):
        refused(decrypt({k: v for k, v in headers.items() if k != name}, sealed), 422, "tampered")
    for name in ("ce-id", "ce-source", "ce-type", "ce-specversion"):
        refused(decrypt({k: v for k, v in headers.items() if k != name}, sealed), 400, "malformed")
    sent, data = to_structured(original())
    headers, sealed = good(encrypt(sent, data))
    outer = json.loads(sealed)
    refused(decrypt(headers, json.dumps({**outer, "type": "x"})), 422, "tampered")
    refused(decrypt(headers, json.dumps({**outer, "subject": None})), 422, "tampered")
    refused(decrypt(headers, json.dumps({**outer, "id": None})), 400, "malformed")
    good(decrypt(headers, json.dumps({**outer, "partitionkey": "added on the way"})))
    message = bytearray(base64.b64decode(outer["data_base64"]))
    good(decrypt({}, bytes(message)))  # without an event around it
    message[-1] ^= 1
    refused(decrypt(headers, json.dumps(
        {**outer, "data_base64": base64.b64encode(message).decode()})), 422, "tampered")
    _, bare = good(encrypt({"content-type": "text/plain"}, b"no event"))
    refused(decrypt({f"ce-{k}": v for k, v in {"specversion": "1.0", **CORE}.items()}, bare),
            422, "tampered")


def hostile():
    sent, data = to_binary(original())
    sent = percent(sent)
    for change in ({"ce-specversion": "0.3"}, {"ce-id": ""}, {"ce-source": "a%20b"},
                   {"ce-time": "now"}, {"ce-type": "%0a"}, {"ce-subject": "%"}):
        refused(encrypt({**sent, **change}, data), 400, "malformed")
    for name in ("ce-id", "ce-source", "ce-type"):
        refused(encrypt({k: v for k, v in sent.items() if k != name}, data), 400, "malformed")
    for body in (b"", b"{}", b"[]", b"{", b'{"specversion":"1.0"}', b"\xff"):
        refused(encrypt({"content-type": STRUCTURED}, body), 400, "malformed")
        refused(decrypt({"content-type": STRUCTURED}, body), 400, "malformed")
    least = {"specversion": "1.0", "id": "1", "source": "/", "type": "t"}
    for more in ({}, {"data": "x"}, {"data_base64": "x"}, {"data_base64": "AAAA"}):
        refused(decrypt({"content-type": STRUCTURED}, json.dumps({**least, **more})),
                400, "malformed")
    refused(decrypt({"content-type": STRUCTURED}, json.dumps({**least, "data_base64": ""})),
            422, "tampered")  # a message that was cut, as an empty body is
    refused(encrypt({"content-type": STRUCTURED, "ce-id": "1"}, json.dumps(least)),
            400, "malformed")


if __name__ == "__main__":
    SENDER, OPENER = sys.argv[1:]
    sys.exit(verdict(binary, structured, structured_without_length,
                     sdk_writes_the_outer_event_anew, accept_asks_for_structured,
                     binary_data_and_large, altered_outside, hostile))
