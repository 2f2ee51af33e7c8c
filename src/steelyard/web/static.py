"""The console's own files and the vendored ones, under an address that changes with their content."""

from dataclasses import dataclass
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
}


@dataclass(frozen=True, slots=True)
class Static:
    """All files in memory, with the version that their addresses carry."""

    files: dict[str, bytes]
    version: str

    def url(self, name: str) -> str:
        """The address of `css/bar.css` and the like. Raises KeyError for a file that is not there."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def names(self, folder: str) -> list[str]:
        """The files of a folder, in the order of their names."""
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))

    def route(self) -> PageRoute:
        """Serves them, to be kept for ever; an address of another version is not found."""

        def serve(request: Request) -> Response:
            name = request.path_params["name"]
            if request.path_params["version"] != self.version or name not in self.files:
                raise HTTPException(404)
            forever = {"Cache-Control": "public, max-age=31536000, immutable"}
            return Response(self.files[name], media_type=_TYPES[Path(name).suffix], headers=forever)

        return PageRoute("/static/{version}/{name:path}", serve, Scope.GLOBAL, OPEN)


def read_static(vendor: Path = VENDOR) -> Static:
    """Reads all files. Raises ConfigError where setting up has not copied the vendored ones."""
    absent = [file for file in FILES if not (vendor / Path(file).name).is_file()]
    if absent:
        raise ConfigError(f"static/vendor has no {Path(absent[0]).name}: run `make setup`")
    sources = [*(_WEB / "css").glob("*.css"), *(_WEB / "elements").glob("*.js"), *(_WEB / "static").glob("*.svg")]
    files = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(sources)}
    files |= {f"vendor/{Path(file).name}": (vendor / Path(file).name).read_bytes() for file in FILES}
    digest = sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + content)
    return Static(files, digest.hexdigest()[:12])
