"""Reads a request as the official SDK for CloudEvents reads it: {"headers": {}, "body": ""} from
standard input, the event's attributes and data to standard output."""
import json
import sys

from cloudevents.http import from_http

request = json.load(sys.stdin)
event = from_http(request["headers"], request["body"].encode())
json.dump({"attributes": dict(event.get_attributes()), "data": event.get_data()}, sys.stdout)
