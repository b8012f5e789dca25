"""What HTTP itself decides before anybody looks at a request: method, content types, a callback.

Each `refuse_…` gives the answer to a request that can't be taken, or None. The sentences are those
of Apache Mesos (reference: its v1 API, status codes in the order they are checked).
"""

from __future__ import annotations

import re
from typing import Final

from mesos_ref.http.messages import Request, Response

JSON: Final = "application/json"

#: A callback's name, as scripts in pages give it.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,127}", re.ASCII)


def refuse_method(request: Request, *allowed: str) -> Response | None:
    """405, unless the method is one of `allowed`."""
    if request.method in allowed:
        return None
    listed = ", ".join(allowed)
    sentence = f"Expecting one of {{ {listed} }}, but received '{request.method}'"
    return Response.text(405, sentence, {"Allow": listed})


def refuse_content_type(request: Request) -> Response | None:
    """400 without a content type, 415 with one that is not JSON. Parameters are ignored."""
    given = request.headers.get("content-type")
    if given is None:
        return Response.text(400, "Expecting 'Content-Type' to be present")
    if given.partition(";")[0].strip().lower() != JSON:
        return Response.text(415, f"Expecting 'Content-Type' of {JSON}, but received {given!r}")
    return None


def refuse_accept(request: Request) -> Response | None:
    """406, if the client takes no JSON."""
    given = request.headers.get("accept")
    if given is None or any(map(_takes_json, given.split(","))):
        return None
    return Response.text(406, f"Expecting 'Accept' to allow {JSON}, but received {given!r}")


def _takes_json(media_range: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
    return kind in ("", "*/*", "application/*", JSON) and not any(
        parameter.startswith("q=0") and not parameter.strip("q=0.") for parameter in parameters
    )


def json_or_script(request: Request, body: bytes) -> Response:
    """JSON; or with `?jsonp=callback`, a script that calls back with it."""
    callback = request.query.get("jsonp")
    if callback is None:
        return Response.json(200, body)
    if not _CALLBACK.fullmatch(callback):
        return Response.text(400, "Expecting 'jsonp' to be the name of a function")
    return Response(200, b"%b(%b);" % (callback.encode(), body), "text/javascript")
