"""Keeps the catalogs in step with what pages say: `python -m steelyard.web.catalogs` after changing a message."""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from steelyard.web.language import LANGUAGES, catalog_path

_PACKAGE = Path(__file__).parents[1]
_METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
_UNUSED_HEADERS = ('"POT-', '"PO-', '"Last-', '"Language-Team', '"Report-', '"Generated-', '"Project-')
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}


def extract() -> Catalog:
    """Every message of the templates and of Python, in the order of the files."""
    found = Catalog(charset="utf-8")
    for path, line, message, comments, context in sorted(
        extract_from_dir(str(_PACKAGE), _METHODS, _OPTIONS, comment_tags=("Translators:",)), key=lambda each: each[:2]
    ):
        found.add(message, None, [(path, line)], auto_comments=comments, context=context)
    return found


def read(language: str) -> Catalog:
    """The catalog of `language` as it lies in the repository."""
    with catalog_path(language).open("rb") as source:
        return read_po(source, locale=language)


def write(language: str, catalog: Catalog) -> None:
    """Stores `catalog`, without what changes by itself or is the same for all."""
    catalog.header_comment = "# Steelyard: what its pages say. Brought in step by `python -m steelyard.web.catalogs`."
    catalog.fuzzy = False
    written = io.BytesIO()
    write_po(written, catalog, ignore_obsolete=True, include_lineno=False, width=110)
    lines = written.getvalue().decode().splitlines(keepends=True)
    path = catalog_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line for line in lines if not line.startswith(_UNUSED_HEADERS)), encoding="utf-8")


def main() -> None:
    """Brings every catalog in step: new messages come in empty, unused ones go."""
    template = extract()
    for language in LANGUAGES:
        known = catalog_path(language).exists()
        catalog = read(language) if known else Catalog(locale=language, charset="utf-8")
        catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
        write(language, catalog)


if __name__ == "__main__":
    main()
