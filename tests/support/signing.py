"""Checks a signature against the request as it came over the wire."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.raw_server import RawRequest


def wire_signature(request: RawRequest, secret: str) -> str:
    """Sign what came over the wire, word for word: nothing is normalised here but the path's end."""
    names = request.header("Authorization").partition("SignedHeaders=")[2].partition(",")[0].split(";")
    lines = [
        request.method,
        request.path if request.path.endswith("/") else f"{request.path}/",
        request.query,
        *(f"{name}:{request.header(name)}" for name in names),
        "",
        ";".join(names),
        hashlib.sha256(request.body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return hmac.new(secret.encode(), f"HMAC-SHA256\n{digest}".encode(), hashlib.sha256).hexdigest()


def check_wire(request: RawRequest, secret: str) -> None:
    assert request.header("Authorization").partition("Signature=")[2] == wire_signature(request, secret)
