"""The public key that a host shows, read before it is pinned."""

from __future__ import annotations

import asyncio

import asyncssh

from steelyard.kit.errors import ConfigError

_TIMEOUT = 15.0
_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512")


async def read_host_key(address: str, port: int) -> str:
    """The best key that the host at `address` shows, as `kind base64`. Raises ConfigError. Nothing signs in."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            key = await asyncssh.get_server_host_key(
                address, port, config=None, server_host_key_algs=list(_PREFERRED), client_version="Steelyard"
            )
    except (OSError, TimeoutError, asyncssh.Error) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise ConfigError(
            f"no host key can be read at {address}:{port} ({why}): is it on, and may this machine reach it? Or give the"
            " key with --host-key, as in its /etc/ssh/ssh_host_ed25519_key.pub"
        ) from None
    if key is None:
        raise ConfigError(f"{address}:{port} shows no host key: is it an SSH server?")
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])
