"""Webhook signatures: what is signed verifies, and nothing else does."""

import hashlib
import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steelyard.adapters.intercom.signature import sign, sign_canvas, verify, verify_canvas

SECRETS = st.binary(min_size=1, max_size=100)


def test_a_published_vector():
    # RFC 2202, test case 2
    assert sign(b"Jefe", b"what do ya want for nothing?") == "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


@given(SECRETS, st.binary())
def test_what_is_signed_verifies(secret: bytes, body: bytes):
    header = sign(secret, body)
    assert header == "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()
    assert verify(secret, body, header)
    assert verify(secret, body, header.encode())


@given(SECRETS, st.binary(), st.integers(0, 44), st.integers(0, 255))
def test_a_signature_with_one_byte_changed_does_not(secret: bytes, body: bytes, place: int, byte: int):
    header = bytearray(sign(secret, body).encode())
    same = header[place] == byte
    header[place] = byte
    assert verify(secret, body, bytes(header)) == same
    assert verify(secret, body, header.decode("latin-1")) == same


@given(SECRETS, st.binary(), st.binary(), SECRETS)
def test_another_body_or_secret_does_not(secret: bytes, body: bytes, other: bytes, key: bytes):
    header = sign(secret, body)
    assert verify(secret, other, header) == (other == body)
    # HMAC pads a short key with zeros: keys that differ only there are the same key
    assert verify(key, body, header) == (key.ljust(64, b"\0") == secret.ljust(64, b"\0") or key == secret)


@given(SECRETS, st.binary(), st.none() | st.text() | st.binary())
@example(b"s", b"", "sha1=é")
@example(b"s", b"", "\ud800")
@example(b"s", b"", "")
def test_anything_else_is_false_and_never_raises(secret: bytes, body: bytes, header: str | bytes | None):
    assert verify(secret, body, header) is False


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: " " + text, lambda text: text + "\n", lambda text: text[5:]]
)
def test_other_spellings_are_false(change):
    assert not verify(b"secret", b"body", change(sign(b"secret", b"body")))


def test_an_empty_secret_verifies_nothing():
    assert not verify(b"", b"body", sign(b"", b"body"))


def test_a_published_vector_of_canvas_kit():
    # RFC 4231, test case 2
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign_canvas(b"Jefe", b"what do ya want for nothing?") == known


@given(SECRETS, st.binary(), st.integers(0, 63), st.integers(0, 255))
def test_what_is_signed_for_canvas_kit_verifies_and_nothing_else_does(
    secret: bytes, body: bytes, place: int, byte: int
):
    header = bytearray(sign_canvas(secret, body).encode())
    assert verify_canvas(secret, body, bytes(header))
    assert not verify_canvas(secret, body, sign(secret, body)), "a webhook's signature is another"
    assert not verify_canvas(b"", body, bytes(header))
    same = header[place] == byte
    header[place] = byte
    assert verify_canvas(secret, body, bytes(header)) == same
