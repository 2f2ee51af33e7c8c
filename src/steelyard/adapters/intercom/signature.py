"""Intercom's signatures, each an HMAC of the raw body under the client secret, in hexadecimal digits.

Webhooks carry `X-Hub-Signature: sha1=<HMAC-SHA1>`, requests of Canvas Kit `X-Body-Signature: <HMAC-SHA256>`.
"""

from hmac import compare_digest, digest


def sign(secret: bytes, body: bytes) -> str:
    """The header's value for a webhook's `body`: `sha1=` and 40 lower-case hexadecimal digits."""
    return "sha1=" + digest(secret, body, "sha1").hex()


def verify(secret: bytes, body: bytes, header: str | bytes | None) -> bool:
    """Whether `header` signs `body`, compared in constant time. Anything malformed is False; it never raises.

    An empty secret verifies nothing: everybody knows it.
    """
    return _is(sign(secret, body), secret, header)


def sign_canvas(secret: bytes, body: bytes) -> str:
    """The header's value for the `body` of a Canvas Kit request: 64 lower-case hexadecimal digits."""
    return digest(secret, body, "sha256").hex()


def verify_canvas(secret: bytes, body: bytes, header: str | bytes | None) -> bool:
    """Whether `header` signs the `body` of a Canvas Kit request, as `verify` does for a webhook."""
    return _is(sign_canvas(secret, body), secret, header)


def _is(right: str, secret: bytes, header: str | bytes | None) -> bool:
    if not secret or not header:
        return False
    given = header.encode(errors="replace") if isinstance(header, str) else header
    return compare_digest(given, right.encode())
