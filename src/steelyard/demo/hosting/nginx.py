"""An nginx of its own on a loopback port: one server for each site, PHP through FPM, permalinks."""

from __future__ import annotations

import http.client
import signal
from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.processes import Owner, Server, found, free_port, listens


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx. A host that it has no server for gets 421."""

    server: Server
    owner: Owner
    folder: Path
    port: int
    php: Path
    """FPM's socket."""

    @classmethod
    def start(cls, folder: Path, php: Path, owner: Owner) -> Nginx:
        """Starts it without a site. Raises HostingError where it does not start."""
        for name in ("", "sites", "temporary"):
            owner.make_folder(folder / name)
        port = free_port()
        owner.write(folder / "generation.conf", _GENERATION.format(port=port, number=0))
        configuration = owner.write(folder / "nginx.conf", _SETTINGS.format(folder=folder))
        argv = [found("nginx", "nginx"), "-e", folder / "error.log", "-c", configuration]
        server = Server.start("nginx", owner, argv, lambda: listens(port), log=folder / "nginx.log")
        return cls(server, owner, folder, port, php)

    def url_of(self, name: str) -> str:
        """The address of a site, without a slash at its end. Its name need not resolve: connect to 127.0.0.1."""
        return f"http://{name}:{self.port}"

    def add(self, name: str, docroot: Path, aliases: tuple[str, ...] = ()) -> None:
        """Serves `docroot` under `name`; returns when it does."""
        text = _SITE.format(names=" ".join((name, *aliases)), docroot=docroot, port=self.port, php=self.php)
        self.owner.write(self.folder / "sites" / f"{name}.conf", text)
        self.reload()

    def remove(self, name: str) -> None:
        """Serves `name` no more."""
        (self.folder / "sites" / f"{name}.conf").unlink(missing_ok=True)
        self.reload()

    def reload(self) -> None:
        """Has it read its settings again; returns when they hold."""
        before, number = self._workers(), int(self._generation() or 0) + 1
        self.owner.write(self.folder / "generation.conf", _GENERATION.format(port=self.port, number=number))
        self.server.signal(signal.SIGHUP)
        self.server.wait_until(lambda: self._generation() == str(number) and not before & self._workers())

    def _workers(self) -> set[str]:
        """The processes that accept connections; one that is told to end still does for a moment."""
        master = self.server.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text("ascii").split()
        return {pid for pid in children if _accepts(pid)}

    def _generation(self) -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": "steelyard-generation.invalid"})
            return connection.getresponse().read().decode().strip()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _accepts(pid: str) -> bool:
    try:
        return b"shutting down" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended, before or as it was read
        return False


_SETTINGS = """\
daemon off;
worker_processes 1;
worker_shutdown_timeout 5s;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log {folder}/access.log;
    sendfile on;
    client_max_body_size 64m;
    client_body_temp_path {folder}/temporary/body;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    proxy_temp_path {folder}/temporary/proxy;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    server_names_hash_bucket_size 128;
    include {folder}/generation.conf;
    include {folder}/sites/*.conf;
}}
"""

_GENERATION = """\
server {{
    listen 127.0.0.1:{port} default_server;
    server_name steelyard-generation.invalid;
    default_type text/plain;
    location / {{
        if ($host != steelyard-generation.invalid) {{ return 421; }}
        return 200 {number};
    }}
}}
"""

_SITE = """\
server {{
    listen 127.0.0.1:{port};
    server_name {names};
    root "{docroot}";
    index index.php index.html;
    location / {{ try_files $uri $uri/ /index.php?$args; }}
    location ~ \\.php$ {{
        try_files $uri =404;
        include /etc/nginx/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_param HTTP_HOST $http_host;
        fastcgi_param SERVER_NAME $host;
        fastcgi_param HTTP_PROXY "";
        fastcgi_pass unix:{php};
        fastcgi_read_timeout 60s;
    }}
    location ~ /\\.ht {{ deny all; }}
}}
"""
