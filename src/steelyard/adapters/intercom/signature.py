"""Intercom's webhook signature: `X-Hub-Signature: sha1=<hex HMAC-SHA1 of the raw body under the client secret>`."""

from hmac import compare_digest, digest


def sign(secret: bytes, body: bytes) -> str:
    """The header's value for `body`: `sha1=` and 40 lower-case hexadecimal digits."""
    return "sha1=" + digest(secret, body, "sha1").hex()


def verify(secret: bytes, body: bytes, header: str | bytes | None) -> bool:
    """Whether `header` signs `body`, compared in constant time. Anything malformed is False; it never raises.

    An empty secret verifies nothing: everybody knows it.
    """
    if not secret or not header:
        return False
    given = header.encode(errors="replace") if isinstance(header, str) else header
    return compare_digest(given, sign(secret, body).encode())
