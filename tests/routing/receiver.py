"""Where alarms are told in tests: an address on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """An address that takes what Apprise sends, or refuses the first few."""

    def __init__(self) -> None:
        self.took: list[dict[str, Any]] = []
        self.refuses = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                refused = outer.refuses > 0
                outer.refuses -= refused
                if not refused:
                    outer.took.append(body | {"path": self.path})
                self.send_response(500 if refused else 200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://user:hunter2@127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def titles(self, path: str) -> list[str]:
        """What was told there, in its order."""
        return [each["title"] for each in self.took if each["path"].rstrip("/") == path]
