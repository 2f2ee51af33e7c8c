"""What makes sites hard: tables that cannot just be renamed, file names that no script expects, and sheer size."""

from __future__ import annotations

import os
import random
from pathlib import Path

from steelyard.demo.hosting.site import Site

_TABLES = """
CREATE TABLE `{p}orders` (id BIGINT AUTO_INCREMENT PRIMARY KEY, total DECIMAL(10,2) NOT NULL) ENGINE=InnoDB;
CREATE TABLE `{p}order_lines` (
    id BIGINT AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, title TEXT,
    CONSTRAINT `{p}of_order` FOREIGN KEY (order_id) REFERENCES `{p}orders` (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `{p}visits` (id BIGINT AUTO_INCREMENT PRIMARY KEY, agent VARCHAR(200), KEY (agent)) ENGINE=MyISAM;
CREATE TRIGGER `{p}lines_told` AFTER INSERT ON `{p}order_lines`
    FOR EACH ROW UPDATE `{p}orders` SET total = total + 1 WHERE id = NEW.order_id;
CREATE VIEW `{p}order_report` AS
    SELECT o.id, o.total, count(l.id) AS line_count FROM `{p}orders` o LEFT JOIN `{p}order_lines` l ON l.order_id = o.id
    GROUP BY o.id, o.total;
INSERT INTO `{p}orders` (total) VALUES (10), (20);
INSERT INTO `{p}order_lines` (order_id, title) VALUES (1, 'a book'), (1, 'a lamp'), (2, 'a chair');
INSERT INTO `{p}visits` (agent) VALUES ('one'), ('two');
"""

_NAMES = (
    b"a b", b" ", b"-rf", b"--help", b"new\nline", b"'quote'", b'"double"', b"$(touch run-by-name)", b"`id`", b"a;b",
    b"a&b", b"a|b", b"*", b"?", b"~", b"\\", b"%s%n", b"\xff\xfe not utf-8", b"\x1b[31mred",
    b"<img src=x onerror=alert(1)>",
    "żółw-ü-文件.txt".encode(), "right\u202eto-left".encode(), b".hidden", b"..almost", b"tab\there", b"bell\x07",
    b"x" * 255,
)  # fmt: skip


def add_odd_tables(site: Site) -> list[str]:
    """Adds tables with a trigger, a view, a foreign key and MyISAM to the site's; the new names, sorted.

    The view of orders counts lines: 2 of order 1 (total 12), 1 of order 2 (total 21).
    """
    before = set(site.tables())
    site.sql(_TABLES.format(p=site.prefix))
    return sorted(set(site.tables()) - before)


def add_odd_files(site: Site) -> list[bytes]:
    """Adds files with hostile names, links that loop or lead outside, to `uploads/odd`; the names, sorted.

    No name is a path of several parts; each plain file has its own name as content.
    """
    folder = site.content / "uploads" / "odd"
    owner = site.hosting.owner
    owner.make_folder(folder)
    for name in _NAMES:
        path = os.path.join(os.fsencode(folder), name)
        with open(path, "xb") as opened:
            opened.write(name)
        owner.give(Path(os.fsdecode(path)))
    for name, target in {"loop": ".", "itself": "itself", "nowhere": "/nonexistent", "outside": "/etc"}.items():
        (folder / name).symlink_to(target)
        owner.give(folder / name)
    return sorted([*_NAMES, b"loop", b"itself", b"nowhere", b"outside"])


def fill_files(site: Site, files: int = 20_000, megabytes: int = 300, seed: int = 1) -> None:
    """Adds plugins' code and uploads until the docroot holds `files` files of `megabytes` (10^6 bytes) together.

    A third of the new ones is PHP; the rest are pictures by name. Takes seconds.
    """
    sizes = [each.stat().st_size for each in site.docroot.resolve().rglob("*") if each.is_file()]
    wanted, room = files - len(sizes), megabytes * 1_000_000 - sum(sizes)
    if wanted <= 0 or room <= 0:
        raise ValueError(f"the site has {len(sizes)} files of {sum(sizes)} bytes already")
    choose = random.Random(seed)  # noqa: S311 - repeatable, not secret
    scripts = wanted // 3
    length = min(7_000, room // wanted)
    _write_parts(site.content / "plugins", scripts, length, choose)
    _write_pictures(site.content / "uploads", wanted - scripts, (room - scripts * length) // (wanted - scripts), choose)
    if site.hosting.owner.changes:
        _give_all(site)


def _write_parts(plugins: Path, count: int, size: int, choose: random.Random) -> None:
    """PHP that could run."""
    functions = [_code(choose) for _ in range(1_000)]
    for number in range(count):
        text = [f"<?php // part {number}\n"]
        at, room = choose.randrange(len(functions)), size - len(text[0])
        while room >= len(function := functions[at % len(functions)]):
            text.append(function)
            at, room = at + 1, room - len(function)
        _write(plugins, "shop", number, "php", "".join([*text, "#" * room]).encode())


def _write_pictures(uploads: Path, count: int, size: int, choose: random.Random) -> None:
    """Files that are pictures by name and by their first bytes."""
    noise = choose.randbytes(size + 1_000_000)
    for number in range(count):
        start = choose.randrange(1_000_000)
        _write(uploads, "2026", number, "jpg", b"\xff\xd8\xff\xe0" + noise[start : start + size - 4])


def _write(folder: Path, group: str, number: int, kind: str, content: bytes) -> None:
    near = folder / f"{group}-{number // 100:03}"
    near.mkdir(exist_ok=True)
    (near / f"{number}.{kind}").write_bytes(content)


def _code(choose: random.Random) -> str:
    number = choose.randrange(1_000_000)
    return f"function shop_part_{number}( $order ) {{\n\treturn array_sum( $order['lines'] ) * {number};\n}}\n"


def fill_database(site: Site, tables: int = 42, megabytes: int = 190) -> None:
    """Adds tables and rows until the schema has `tables` tables of about `megabytes` (10^6 bytes) with indexes."""
    existing = site.tables()
    new = [f"{site.prefix}shop_{number:02}" for number in range(1, tables - len(existing) + 1)]
    shape = "(id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64), value LONGTEXT, KEY (name)) ENGINE=InnoDB"
    site.sql("".join(f"CREATE TABLE `{name}` {shape};\n" for name in new))
    # A row takes about 1,300 bytes in its pages, as they are filled.
    rows = megabytes * 1_000_000 // 1_300 // (len(new) + 6)
    statements = [f"INSERT INTO `{name}` (name, value) {_rows(rows)};" for name in new]
    # Posts and their fields are what is large in a real one.
    must = "post_title, post_excerpt, to_ping, pinged, post_content_filtered"
    posts = f"`{site.prefix}posts` (post_name, post_content, {must})"
    fields = f"`{site.prefix}postmeta` (post_id, meta_key, meta_value)"
    filler = ", 'A post', '', '', '', ''"
    statements.append(f"INSERT INTO {posts} {_rows(rows * 3, filler)};")
    statements.append(f"INSERT INTO {fields} SELECT seq, 'field', {_TEXT} FROM seq_1_to_{rows * 3};")  # noqa: S608
    site.sql("SET SESSION unique_checks=0, foreign_key_checks=0;\n" + "\n".join(statements))


_TEXT = "CONCAT(MD5(seq), REPEAT(MD5(seq + 1), 28))"


def _rows(count: int, more: str = "") -> str:
    return f"SELECT CONCAT('name-', seq), {_TEXT}{more} FROM seq_1_to_{count}"  # noqa: S608 - numbers of ours


def _give_all(site: Site) -> None:
    for folder in ("plugins", "uploads"):
        root = site.content / folder
        for path in (root, *root.rglob("*")):
            site.hosting.owner.give(path)
