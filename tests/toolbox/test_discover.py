"""Finding sites: settings of web servers as they are written, hostile ones too, and a real nginx with real sites."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.hosted.discover import find
from steelyard.toolbox.hosted.here import Here
from steelyard.toolbox.hosted.servers import Server, apache_servers, files_of, names_of, nginx_servers

MakeHere = Callable[..., Here]


def files(known: Mapping[str, str]) -> Callable[[str], list[tuple[str, str]]]:
    def found(pattern: str) -> list[tuple[str, str]]:
        pattern = os.path.normpath(pattern)
        head = pattern.rpartition("*")[0]
        return [(path, text) for path, text in known.items() if path == pattern or (head and path.startswith(head))]

    return found


def nginx(text: str, **more: str) -> list[Server]:
    others = {f"/etc/nginx/{name.replace('__', '/')}": each for name, each in more.items()}
    return nginx_servers(files({"/etc/nginx/nginx.conf": text, **others}))


def test_servers_with_includes_lists_quotes_and_comments() -> None:
    (first, second, third) = nginx(
        """
        # server { server_name never.example; root /never; }
        user www-data; events {}
        http {
            root /srv/default;
            map $host $pool { default ""; "~^(?<a>.{1,3})\\.x$" '}'; }
            server { listen 80; server_name shop.example "www.shop.example" *.shop.example; # root /wrong;
                     root '/srv/shop site/htdocs/'; location ~ \\.php$ { fastcgi_pass unix:/run/php/shop.sock; } }
            server { server_name ~^(www\\.)?(?<name>.+)$; location / { root /srv/in-location; } }
            include sites/*;
        }
        """,
        sites__a="server { server_name a.example\n  b.example; }",
        sites__b="{}} ; server",
    )
    assert first.names == ("shop.example", "www.shop.example", "*.shop.example")
    assert (first.root, first.passes) == ("/srv/shop site/htdocs", "unix:/run/php/shop.sock")
    assert names_of(first) == {"shop.example": True, "www.shop.example": True, "*.shop.example": False}
    assert (second.root, names_of(second)) == ("/srv/in-location", {})
    assert (third.names, third.root, third.file) == (("a.example", "b.example"), "/srv/default", "/etc/nginx/sites/a")


def test_a_root_with_a_variable_is_nobodys() -> None:
    (server,) = nginx("http { server { server_name a.example; root /srv/${host}/x; } }")
    assert (server.names, server.root) == (("a.example",), "")


def test_includes_in_a_circle_end() -> None:
    text = "http { include nginx.conf; server { server_name a.example; } }"
    assert all(each.names == ("a.example",) for each in nginx(text))
    many = {f"sites__{number}": "include sites/*; server { server_name b.example; }" for number in range(50)}
    began = time.monotonic()
    assert nginx("http { include sites/*; }", **many)
    assert time.monotonic() - began < 20


@given(st.text(st.sampled_from("ab ;{}#\"'\\\n$~*")))
def test_no_text_breaks_the_reading(text: str) -> None:
    nginx(text)
    nginx("http { server { server_name a; " + text)
    apache_servers(files({"/etc/apache2/apache2.conf": text}))


@pytest.mark.parametrize("piece", ["${", "{", "'", '"', "\\", 'a"', "server {", "include *;", "# ", "$"])
def test_a_megabyte_of_anything_is_read_in_moments(piece: str) -> None:
    began = time.monotonic()
    nginx(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - began < 10


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5))
def test_what_is_quoted_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """Whatever stands in quotes is one word, and changes nothing around it."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = "".join(f"server {{ server_name {quoted(name)}; fastcgi_pass {quoted(to)}; }}" for name, to in pairs)
    found = nginx("http {" + text + "}")
    assert [(each.names, each.passes) for each in found] == [((name.lower(),), to) for name, to in pairs]


def test_virtual_hosts_of_apache() -> None:
    main = 'ServerName machine\nDocumentRoot "/var/www/main"\nIncludeOptional sites/*.conf\n'
    site = (
        "<VirtualHost *:443>\n  ServerName Shop.example:443\n  ServerAlias www.shop.example \\\n    old.example\n"
        '  DocumentRoot "/srv/shop/htdocs/"\n  # ServerName never.example\n'
        '  <FilesMatch "\\.php$">\n    SetHandler "proxy:unix:/run/php/shop.sock|fcgi://localhost"\n  </FilesMatch>\n'
        "</VirtualHost>\n<VirtualHost *:80>\nServerName ${NAME}\nDocumentRoot ${ROOT}/x\n</VirtualHost>"
    )
    found = apache_servers(files({"/etc/apache2/apache2.conf": main, "/etc/apache2/sites/a.conf": site}))
    assert [(each.names, each.root) for each in found] == [
        (("shop.example", "www.shop.example", "old.example"), "/srv/shop/htdocs"), (("${name}",), "")
    ]  # fmt: skip
    assert found[0].passes.startswith("proxy:unix:/run/php/shop.sock")
    assert names_of(found[1]) == {"${name}": False}


def test_patterns_are_those_of_the_machine(here: MakeHere, tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    for name in ("a.conf", "b.conf", ".hidden.conf", "c.off"):
        (tmp_path / "sites" / name).write_text(name)
    assert [text for _, text in files_of(here())(f"{tmp_path}/si*/*.conf")] == ["a.conf", "b.conf"]


def test_a_folder_of_wordpresses_without_a_web_server(here: MakeHere, tmp_path: Path) -> None:
    def wordpress(path: str, config: str = "") -> Path:
        root = tmp_path / "www" / path
        (root / "wp-includes").mkdir(parents=True)
        (root / "wp-load.php").touch()
        (root / "wp-includes/version.php").write_text("<?php\n$wp_version = '7.1.1';\n")
        if config:
            (root / "wp-config.php").write_text(config)
        return root

    ran = tmp_path / "ran"
    hostile = f"<?php touch('{ran}'); define('DB_NAME', getenv('X')); $table_prefix = 'x_';"
    wordpress("shop.example/htdocs", "<?php define('DB_NAME','shop');define('DB_USER','s');define('DB_PASSWORD','p');"
              "define('DB_HOST','localhost');define('MULTISITE', true);$table_prefix='wp_';")  # fmt: skip
    wordpress("hostile", hostile)
    wordpress("bare/public")
    os.symlink(tmp_path / "www", tmp_path / "www/loop")
    found = find(here(), {"places": [str(tmp_path / "www")], "nginx": "/nowhere"})
    sites = {each["docroot"].removeprefix(f"{tmp_path}/www/"): each for each in found["sites"]}
    assert sites.keys() == {"shop.example/htdocs", "hostile", "bare/public"}
    shop = sites["shop.example/htdocs"]
    assert (shop["name"], shop["wordpress"]) == (
        "shop.example",
        {"version": "7.1.1", "database": "shop", "prefix": "wp_", "multisite": True, "plain": True},
    )
    assert (sites["hostile"]["name"], sites["hostile"]["wordpress"]["plain"]) == ("", False)
    assert not ran.exists()
    assert "p" not in str(shop["wordpress"].values()).split("'")
    assert not found["cut"]


def test_what_is_closed_is_told(here: MakeHere, open_folder: Path) -> None:
    closed = open_folder / "www/closed"
    closed.mkdir(parents=True)
    closed.chmod(0)
    looking, before = here(), os.geteuid()
    if before == 0:  # who may read all
        os.seteuid(65534)
    try:
        found = find(looking, {"places": [str(closed.parent), "/nowhere"]})
    finally:
        os.seteuid(before)
    assert found["closed"] == [str(closed)]


def test_a_real_nginx_with_a_real_wordpress(here: MakeHere, hosting: Hosting, wordpress: Site) -> None:
    found = find(here(), {"places": [], "nginx": str(hosting.nginx.folder / "nginx.conf")})
    site = next(each for each in found["sites"] if each["docroot"] == os.path.realpath(wordpress.docroot))
    assert site["name"] == wordpress.name
    assert site["account"] == hosting.owner.name
    assert site["server"] == "nginx"
    assert site["wordpress"] == {
        "version": "7.1.1", "database": wordpress.database, "prefix": wordpress.prefix, "multisite": False,
        "plain": True,
    }  # fmt: skip
    assert wordpress.password not in str(found)
