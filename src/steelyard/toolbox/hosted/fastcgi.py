"""Asks a running PHP-FPM over its own socket, past the web server: what it really loaded is known to it alone."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Generator

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6
_RESPONDER = 1
_HEADER = struct.Struct(">BBHHBx")
_MOST = 4_000_000


def address_of(listen: str) -> str | tuple[str, int] | None:
    """Where a pool listens, as its `listen` says: a path, a port, or an address with a port. None where it is none."""
    if listen.startswith("/"):
        return listen
    host, colon, port = listen.rpartition(":")
    if not port.isdigit():
        return None
    host = host.strip("[]") if colon else ""
    return ("127.0.0.1" if host in ("", "*", "0.0.0.0") else "::1" if host == "::" else host, int(port))  # noqa: S104


def ask(listen: str, script: str, timeout: float = 10.0) -> bytes:
    """What the pool writes when it runs the file `script`, after its headers. Raises OSError."""
    params = {
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": "/steelyard.php",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/steelyard.php",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "PHP_VALUE": "auto_prepend_file=\nauto_append_file=\nzlib.output_compression=0\ndisplay_errors=0",
    }
    body = b"".join(_pair(name, value) for name, value in params.items())
    with _connected(listen, timeout) as connection:
        connection.sendall(_record(_BEGIN, struct.pack(">HB5x", _RESPONDER, 0)))
        connection.sendall(_record(_PARAMS, body) + _record(_PARAMS, b"") + _record(_STDIN, b""))
        answer = _answer(connection)
    head, _, said = answer.partition(b"\r\n\r\n")
    if b"\nstatus: 4" in b"\n" + head.lower() or b"\nstatus: 5" in b"\n" + head.lower():
        raise OSError(f"PHP-FPM at {listen} answers {head.splitlines()[0].decode('latin-1')[:100]}")
    return said


@contextlib.contextmanager
def _connected(listen: str, timeout: float) -> Generator[socket.socket]:
    address = address_of(listen)
    if address is None:
        raise OSError(f"{listen} is no address of PHP-FPM")
    if isinstance(address, str):
        with socket.socket(socket.AF_UNIX) as near:
            near.settimeout(timeout)
            near.connect(address)
            yield near
    else:
        with socket.create_connection(address, timeout=timeout) as far:
            yield far


def _record(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(1, kind, 1, len(body), 0) + body


def _pair(name: str, value: str) -> bytes:
    raw = (name.encode(), value.encode())
    return b"".join(_length(len(each)) for each in raw) + b"".join(raw)


def _length(number: int) -> bytes:
    return bytes([number]) if number < 128 else struct.pack(">I", number | 0x80000000)


def _answer(connection: socket.socket) -> bytes:
    """What it wrote, until it says that it is done."""
    written: dict[int, bytearray] = {_STDOUT: bytearray()}
    while len(written[_STDOUT]) < _MOST:
        _version, kind, _request, length, padding = _HEADER.unpack(_exactly(connection, _HEADER.size))
        body = _exactly(connection, length + padding)[:length]
        if kind == _END:
            break
        if kind == _STDOUT:
            written[_STDOUT] += body
    return bytes(written[_STDOUT])


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise OSError("PHP-FPM ended the connection before it answered")
        got += part
    return bytes(got)
