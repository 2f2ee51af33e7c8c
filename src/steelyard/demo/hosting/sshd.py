"""An SSH server of its own on a loopback port, into which one key logs in as the sites' user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.processes import Owner, Server, found, free_port, listens


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running sshd, which is no root process: it lets in its own user only."""

    server: Server
    owner: Owner
    folder: Path
    port: int

    @classmethod
    def start(cls, folder: Path, home: Path, owner: Owner) -> Sshd:
        """Starts one whose sessions have `home` as HOME. Raises HostingError where it does not start."""
        owner.make_folder(folder)
        for name in ("host_key", "client_key"):
            if not (folder / name).exists():
                owner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name])
        owner.write(folder / "authorized_keys", (folder / "client_key.pub").read_text("ascii"), 0o600)
        for name in ("authorities", "revoked"):
            owner.write(folder / name, "")
        port = free_port()
        configuration = owner.write(folder / "sshd_config", _SETTINGS.format(folder=folder, port=port, home=home))
        argv = [found("sshd", "openssh-server"), "-D", "-f", configuration, "-E", folder / "sshd.log"]
        server = Server.start("sshd", owner, argv, lambda: listens(port), log=folder / "start.log")
        return cls(server, owner, folder, port)

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.owner.name

    @property
    def host_key(self) -> str:
        """The host's public key as one line, to be pinned."""
        return (self.folder / "host_key.pub").read_text("ascii").strip()

    @property
    def client_key(self) -> str:
        """The private key that logs in, in OpenSSH's format, without a passphrase."""
        return (self.folder / "client_key").read_text("ascii")

    @property
    def authorized_keys(self) -> Path:
        """Read at every log-in: who may. Append lines to let others in, empty it to let nobody in."""
        return self.folder / "authorized_keys"

    @property
    def authorities(self) -> Path:
        """Read at every log-in: the public keys whose certificates are trusted, one a line. Empty at first."""
        return self.folder / "authorities"

    @property
    def revoked(self) -> Path:
        """Read at every log-in: revoked public keys, or a key revocation list. Empty at first."""
        return self.folder / "revoked"


_SETTINGS = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile {folder}/authorized_keys
TrustedUserCAKeys {folder}/authorities
RevokedKeys {folder}/revoked
SetEnv HOME={home}
MaxStartups 100
MaxSessions 100
MaxAuthTries 20
PrintMotd no
LogLevel VERBOSE
Subsystem sftp internal-sftp
"""
