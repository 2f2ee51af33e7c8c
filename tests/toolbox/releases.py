"""Releases in tests: archives of them, and a server that has what wordpress.org has."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CART = {
    "shop-cart/shop-cart.php": b"<?php\n/*\n * Plugin Name: Cart\n * Version: 2.4.1\n */\nrequire 'inc/total.php';\n",
    "shop-cart/inc/total.php": b"<?php\nfunction shop_cart_total( $a ) { return array_sum( $a ); }\n",
    "shop-cart/readme.txt": b"=== Shop Cart ===\n",
}
BLUE = {
    "blue/style.css": b"/*\nTheme Name: Blue\nVersion: 3.0\n*/\nbody { color: blue }\n",
    "blue/functions.php": b"<?php\nadd_theme_support( 'title-tag' );\n",
}


def a_tar(path: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for entry in more:
            archive.addfile(entry)
    return path


def a_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def offer(folder: Path, kind: str, files: dict[str, bytes], version: str, newest: str = "") -> None:
    """Lays a release of a plugin or a theme where wordpress.org has it. `newest`: what is said to be the newest."""
    slug = next(iter(files)).partition("/")[0]
    info = folder / f"{kind}s/info/1.2"
    info.mkdir(parents=True, exist_ok=True)
    (folder / kind).mkdir(exist_ok=True)
    a_zip(folder / kind / f"{slug}.{version}.zip", files)
    (info / f"{kind}_information-{slug}").write_text(json.dumps({"slug": slug, "version": newest or version}))


@contextmanager
def serving(folder: Path) -> Generator[str]:
    """A server on this machine that has the files in a folder; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            words = parse_qs(asked.query)
            if "action" in words:
                self.path = f"{asked.path}{words['action'][0]}-{words['request[slug]'][0]}"
            super().do_GET()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
