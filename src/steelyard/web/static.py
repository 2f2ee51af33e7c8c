"""The console's own files and the vendored ones, under an address that changes with their content."""

import gzip
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.errors import ConfigError
from steelyard.kit.scopes import Scope
from steelyard.web.assets import FILES, VENDOR
from steelyard.web.routes import OPEN, PageRoute

_WEB = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".zip": "application/zip",
}


COMPANION = "static/companion.zip"
"""The packed browser extension, where setting up made it."""

_SHEET = "css/steelyard.css"
"""All style sheets as one, in the order of their names: one request instead of twenty."""


@dataclass(frozen=True, slots=True)
class Static:
    """All files in memory, as they are and compressed, with the version that their addresses carry."""

    files: dict[str, bytes]
    version: str
    packed: dict[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    sheet: str = _SHEET

    def url(self, name: str) -> str:
        """The address of `css/bar.css` and the like. Raises KeyError for a file that is not there."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def route(self) -> PageRoute:
        """Serves them, to be kept for ever; an address of another version is not found."""

        def serve(request: Request) -> Response:
            name = request.path_params["name"]
            if request.path_params["version"] != self.version or name not in self.files:
                raise HTTPException(404)
            headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
            content = self.files[name]
            if "gzip" in request.headers.get("accept-encoding", "") and name in self.packed:
                headers["Content-Encoding"], content = "gzip", self.packed[name]
            return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)

        return PageRoute("/static/{version}/{name:path}", serve, Scope.GLOBAL, OPEN)


def read_static(vendor: Path = VENDOR) -> Static:
    """Reads all files. Raises ConfigError where setting up has not copied the vendored ones."""
    absent = [file for file in FILES if not (vendor / Path(file).name).is_file()]
    if absent:
        raise ConfigError(f"static/vendor has no {Path(absent[0]).name}: run `make setup`")
    sheets = [path.read_bytes() for path in sorted((_WEB / "css").glob("*.css"))]
    sources = [*(_WEB / "elements").glob("*.js"), *(_WEB / "static").glob("*.svg")]
    files = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(sources)}
    files[_SHEET] = b"\n".join(sheets)
    files |= {f"vendor/{Path(file).name}": (vendor / Path(file).name).read_bytes() for file in FILES}
    if (_WEB / COMPANION).is_file():
        files[COMPANION] = (_WEB / COMPANION).read_bytes()
    digest = sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + content)
    packed = {name: gzip.compress(content, mtime=0) for name, content in files.items()}
    return Static(files, digest.hexdigest()[:12], packed)
