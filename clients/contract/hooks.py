"""What a request needs that no schema says: ids of things that exist, signatures, and a provider on this machine."""

import atexit
import collections
import hashlib
import hmac
import json
import os
import time
import zlib

import schemathesis

WORLD = json.loads(os.environ["CONTRACT_WORLD"])
ROLE = WORLD["role"]
ANSWERS = collections.Counter()


def chosen(*parts):
    """Half of the cases, the same ones in every run."""
    return zlib.crc32(repr(parts).encode()) % 2 == 0


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """A random id names nothing, so that no handler would ever be reached."""
    known = WORLD["known"].get(ctx.operation.path, {})
    if ctx.operation.label == "DELETE /api/documents/{id}":
        # The others need it.
        return path_parameters
    for name, value in (path_parameters or {}).items():
        if name in known and chosen(ctx.operation.label, value):
            path_parameters[name] = known[name]
    return path_parameters


@schemathesis.hook
def map_body(ctx, body):
    """Keys go to the provider of the tests: no case may ask anybody outside of this machine."""
    if ctx.operation.path == "/api/keys/{provider}" and isinstance(body, dict):
        body["baseUrl"] = WORLD["provider"]
    return body


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if case.operation.label == "GET /api/documents/{id}/events":
        # One that waits for its upload is told of for five minutes.
        case.path_parameters = dict(WORLD["known"][case.operation.path])
    if ROLE == "queue" and case.path == "/api/ingest":
        kwargs["auth"] = signed


@schemathesis.hook
def after_call(ctx, case, response):
    ANSWERS[f"{response.status_code // 100}xx"] += 1


@atexit.register
def tell():
    with open(WORLD["report"], "w", encoding="utf-8") as report:
        json.dump(ANSWERS, report)


def signed(request):
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    now = int(time.time())
    digest = hmac.new(WORLD["ingestSecret"].encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    request.headers["x-ingest-signature"] = f"t={now},v1={digest}"
    return request
