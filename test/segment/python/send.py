"""Makes calls with segment-analytics-python: send.py URL WRITE_KEY FILE, where FILE has a call as JSON per line."""

import json
import sys
from datetime import datetime, timedelta, timezone

from segment.analytics.client import Client

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def make(client, call):
    kind, name, user, anonymous = call["kind"], call["name"], call["user"], call["anonymous"]
    common = {"timestamp": EPOCH + timedelta(milliseconds=call["time"]), "message_id": call["id"]}
    if kind == "track":
        return client.track(user, name, {"price": 12.5}, anonymous_id=anonymous, **common)
    if kind == "page":
        return client.page(user, None, name, anonymous_id=anonymous, **common)
    if kind == "screen":
        return client.screen(user, None, name, anonymous_id=anonymous, **common)
    if kind == "identify":
        return client.identify(user, {"plan": "pro"}, anonymous_id=anonymous, **common)
    if kind == "alias":
        return client.alias(anonymous, user, **common)
    return client.group(user, name, anonymous_id=anonymous, **common)


def main(url, write_key, file):
    failures = []
    client = Client(write_key, host=url, gzip=True, on_error=lambda error, items: failures.append(error))
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            queued, _ = make(client, json.loads(line))
            if not queued:
                failures.append("the queue is full")
    client.flush()
    client.shutdown()
    if failures:
        sys.exit(f"not sent: {failures[:3]}")


main(*sys.argv[1:])
