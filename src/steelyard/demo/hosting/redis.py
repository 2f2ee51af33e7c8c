"""A Redis of its own on a loopback port, whose users stand in a file, so that ACL SAVE works."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.processes import Owner, Server, found, free_port, listens

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Redis:
    """A running Redis. `admin` may do everything; the user `default` is off."""

    server: Server
    owner: Owner
    folder: Path
    socket: Path
    port: int
    password: str

    @classmethod
    def start(cls, folder: Path, sockets: Path, owner: Owner) -> Redis:
        """Starts an empty one. Raises HostingError where it does not start."""
        owner.make_folder(folder)
        socket, port, password = sockets / "redis.sock", free_port(), secrets.token_hex(16)
        owner.write(folder / "users.acl", f"user default off\nuser {ADMIN} on >{password} ~* &* +@all\n", 0o600)
        configuration = owner.write(folder / "redis.conf", _SETTINGS.format(port=port, folder=folder, socket=socket))
        argv = [found("redis-server", "redis-server"), configuration]
        server = Server.start("redis-server", owner, argv, lambda: listens(port), log=folder / "redis.log")
        return cls(server, owner, folder, socket, port, password)

    def run(self, *words: str) -> str:
        """Runs one command as the administrator and returns the answer as `redis-cli --raw` writes it."""
        argv = ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "--user", ADMIN, "--no-auth-warning", "--raw"]
        return self.owner.run([*argv, *words], environment={"REDISCLI_AUTH": self.password}).removesuffix("\n")


_SETTINGS = """\
bind 127.0.0.1
port {port}
unixsocket {socket}
unixsocketperm 700
daemonize no
dir {folder}
aclfile {folder}/users.acl
save ""
appendonly no
"""
