"""Pages of the handbook as they are read, drawn, searched and made into drafts; all of it pure."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from contextlib import suppress
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.handbook.draft import draft_of, packed
from steelyard.toolbox.handbook.markdown import (
    Words,
    anchors_of,
    broken_in,
    codes_of,
    draw,
    links_of,
    resolver,
    steps_of,
)
from steelyard.toolbox.handbook.model import (
    BadPage,
    Text,
    Written,
    fold,
    folded,
    is_slug,
    parse,
    slug_of,
    snippet,
    words_of,
    write,
)
from steelyard.toolbox.handbook.shipped import shipped
from steelyard.toolbox.own import read_own

RESOLVE = resolver(frozenset({"redis", "dns"}), frozenset({"set_up_redis"}), lambda path: f"{path}?workspace=eu1.x")
HARMLESS = {
    "a", "p", "ul", "ol", "li", "h2", "h3", "h4", "h5", "h6", "pre", "code", "div", "button", "table", "thead", "tbody",
    "tr", "th", "td", "em", "strong", "s", "blockquote", "hr", "br", "small", "span",
}  # fmt: skip
ATTRIBUTES = {
    "href", "rel", "id", "class", "type", "hidden", "tabindex", "role", "aria-label", "scope", "start",
    "data-text", "data-copies", "data-done", "data-language",
}  # fmt: skip


class Tags(HTMLParser):
    """What a browser would make of a text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def html(body: str) -> str:
    return str(draw(body, RESOLVE).html)


def hrefs(body: str) -> list[str | None]:
    return [attributes.get("href") for tag, attributes in Tags(html(body)).found if tag == "a"]


# Front matter


def test_a_page_is_read_with_its_front_matter() -> None:
    source = (
        '---\r\ntitle: "Redis: how"\r\ntopics: [caching, dns]\r\nrunbooks:\r\n  - set_up_redis\r\n'
        "checked: 2026-11-20\r\nowner: me\r\n---\r\n# Redis: how\r\n\r\nText\r\n"
    )
    expected = Text("Redis: how", "Text", ("caching", "dns"), ("set_up_redis",))
    assert parse(source) == Written(expected, None, date(2026, 11, 20))


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    assert parse("# The `title`\n\n# Another\n").text == Text("The title", "# Another")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("Text alone", "no_title"), ("# a\0", "binary"), (f"# {'x' * 151}", "long_title"),
        (f"# a\n{'x' * 100_001}", "long"),
        ("---\ntitle: a\ntopics: ../x\n---\n", "bad_name"), ("---\ntitle: a\nchecked: soon\n---\n", "bad_day"),
        (f"---\ntitle: a\ntopics: {','.join(f't{n}' for n in range(21))}\n---\n", "many_names"),
    ],
)  # fmt: skip
def test_what_is_no_page_says_why(source: str, code: str) -> None:
    with pytest.raises(BadPage) as refused:
        parse(source)
    assert refused.value.code == code


@given(st.text(max_size=300))
def test_any_text_is_a_page_or_is_refused(source: str) -> None:
    with suppress(BadPage):
        written = parse(source)
        assert parse(write(written.text, "en")).text.body == written.text.body


@given(st.text(max_size=200))
def test_a_slug_is_one_or_nothing(text: str) -> None:
    assert slug_of(text) == "" or is_slug(slug_of(text))


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=100))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_words_have_no_accents() -> None:
    found = words_of("L’Œuvre réglée, ÇA va-t-il ? wp-config.php")
    assert " ".join(found) == "l oeuvre reglee ca va t il wp config php"
    assert folded(Text("Été", "Hiver\nlong", ("dns",))).split("\n") == ["ete", "hiver long dns"]


# Drawing


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>", "vbscript:x", "//evil.example/x", "file:///etc/passwd",
        "https:evil", "\\\\evil.example", "ftp://x.example/", "http:///x", "mailto:nobody", "&#106;avascript:alert(1)",
        "http://[::1", "view-source:http://x.example",
    ],
)  # fmt: skip
def test_only_addresses_that_do_no_harm_are_linked(address: str) -> None:
    assert hrefs(f"[x]({address}) [y](<{address}>) ![i]({address})") == []
    assert "x" in html(f"[x]({address})")


def test_links_lead_where_they_should() -> None:
    assert hrefs(
        "[a](redis.md#Étape 1) [b](<../fr/redis.md#Étape 1>) [c](/runbooks/set_up_redis) [d](/handbook/dns)"
    ) == [
        "/handbook/redis?workspace=eu1.x#at-etape-1",
        "/runbooks/set_up_redis?workspace=eu1.x",
        "/handbook/dns?workspace=eu1.x",
    ]
    page = html("[out](https://x.example/p?a=b&c) [https://y.example](https://y.example) [m](mailto:a@b.example)")
    assert page.count('rel="noreferrer"') == 2
    assert page.count("<small>(x.example)</small>") == 1
    assert "(y.example)" not in page
    assert 'href="mailto:a@b.example"' in page


def test_a_link_that_leads_nowhere_is_no_link_and_is_told() -> None:
    body = "[a](gone.md) [b](/runbooks/gone) [c](#gone) [d](#here) [e](javascript:x)\n\n## Here\n"
    assert broken_in(body, frozenset({"redis"}), frozenset()) == ("gone.md", "/runbooks/gone", "#gone", "javascript:x")
    assert hrefs(body) == ["#at-here", "#at-here"]
    assert html(body).count("is-broken") == 3


def test_pictures_are_links_and_never_loaded() -> None:
    page = html(
        "![plan](https://x.example/p.png) ![](data:image/png;base64,AAAA) [![in](https://x.example/p.png)](redis.md)"
    )
    assert "<img" not in page
    assert 'href="https://x.example/p.png" rel="noreferrer">Image: plan</a>' in page
    assert "data:" not in page


@given(st.text(alphabet="<>&\"'`*_[]()!#-=:/\\ \n1.~|ajscriptx\0", max_size=200))
def test_nothing_but_what_is_known_comes_out(body: str) -> None:
    for tag, attributes in Tags(html(body)).found:
        assert tag in HARMLESS
        assert set(attributes) <= ATTRIBUTES
        href = attributes.get("href") or "#"
        assert re.match(r"https?://|mailto:|#|/(?!/)", href), href


def test_code_and_steps_are_copied_as_they_stand() -> None:
    body = '1. Say `x` & *wait*\n   ```bash\n   echo "<a>"\n     indented\n   ```\n   - sub\n'
    body += "2) no\n\n10. Ten\n\n    ```\n    <b>\n    ```\n"
    first, _, _, ten, tenth = [attributes for tag, attributes in Tags(html(body)).found if tag == "button"]
    assert first["data-copies"] == "code-1"
    step = Tags(html(body)).found
    texts = [attributes["data-text"] for tag, attributes in step if tag == "button" and "data-text" in attributes]
    assert texts == [
        'Say `x` & *wait*\n```bash\necho "<a>"\n  indented\n```\n- sub', "no", "Ten\n\n```\n<b>\n```",
    ]  # fmt: skip
    assert {ten.get("data-copies"), tenth.get("data-text")} == {"code-2", texts[2]}
    assert [each.source for each in steps_of(body)] == texts
    assert codes_of(body)[0].text == 'echo "<a>"\n  indented'
    assert '<code id="code-1">echo &#34;&lt;a&gt;&#34;\n  indented</code>' in html(body)


def test_headings_can_be_linked_to_and_never_jump() -> None:
    page = draw("# One\n\n#### Deep\n\n## One\n\n## `Été` !\n", RESOLVE)
    assert [(each.level, each.anchor) for each in page.headings] == [
        (2, "at-one"),
        (3, "at-deep"),
        (2, "at-one-2"),
        (2, "at-ete"),
    ]
    assert anchors_of("## One") == {"at-one"}


def test_words_of_the_page_are_in_the_readers_language() -> None:
    words = Words("Copier cette étape", "Copier", "Copié", "Lien", "Tableau", "Image")
    page = str(draw("1. a\n\n| a |\n|---|\n| b |\n", RESOLVE, words).html)
    assert ">Copier cette étape</button>" in page
    assert 'aria-label="Tableau"' in page


def test_links_are_listed_once() -> None:
    assert links_of("[a](b.md) ![c](d.png) [a](b.md)\n\n> [e](f.md)\n") == ("b.md", "d.png", "f.md")


# Searching


def test_a_snippet_shows_where_the_words_stand_together() -> None:
    body = "# Le début\n\n" + "Rien. " * 80 + "Les certificats expirés se renouvellent avec `certbot`. " + "Rien. " * 80
    parts = snippet(body, words_of("certificat certb"))
    assert [part.text for part in parts if part.marked] == ["certificats", "certbot"]
    assert parts[0].text == "… "
    assert len("".join(part.text for part in parts)) < 240


def test_a_short_word_is_not_marked_in_another() -> None:
    parts = snippet("Le site redirige et redemande. Redis est en marche, les sites aussi.", words_of("redis site"))
    assert [part.text for part in parts if part.marked] == ["site", "Redis", "sites"]


@given(st.text(max_size=400), st.text(max_size=30))
def test_a_snippet_is_part_of_the_text(body: str, asked: str) -> None:
    """Its letters in their order: marks of Markdown between them, such as `[`, are left out."""
    for part in snippet(body, words_of(asked)):
        letters = iter(body)
        assert not part.marked or all(each in letters for each in part.text)
        if not re.search(r"[#`*|\[\]]", body):
            assert part.text.strip("… ") in re.sub(r"\s+", " ", body) or not part.marked


# Drafts


def test_steps_become_a_runbook_that_can_be_loaded() -> None:
    for (slug, language), page in shipped().items():
        draft = draft_of(slug, page.text, "Titre")
        if draft is None:
            assert slug in ("billing", "domains") or language == "fr", slug
            continue
        files = {each.name: each.text.encode() for each in draft.files}
        runbook = read_own(draft.name, files)
        assert runbook.topics == page.text.topics
        script = files["run"].decode()
        assert subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=False).returncode == 0, slug
        assert [f"{number} of" in script for number in range(1, len(steps_of(page.text.body)) + 1)].count(False) == 0


def test_a_draft_gets_the_site_and_its_parameters_by_the_environment() -> None:
    body = (
        'Does it well. More.\n\n1. Look\n   ```bash\n   TARGET="/tmp/a b"\n   cd /home/shop/public_html\n'
        "   curl \"https://shop.example/$TARGET\" 'https://shop.example'\n   ```\n"
        "2. Write\n   ```ini\n   a = 1\n   ```\n"
    )
    draft = draft_of("set-up-redis", Text('Set "up"', body, ("dns",)))
    assert draft is not None
    files = {each.name: each.text for each in draft.files}
    assert draft.name == "set_up_redis"
    assert 'TARGET="$STEELYARD_TARGET"' in files["run"]
    assert 'cd "${STEELYARD_SITE_DOCROOT}"' in files["run"]
    assert "curl \"${STEELYARD_SITE_URL}/$TARGET\" 'https://shop.example'" in files["run"]
    assert "#   a = 1" in files["run"]
    runbook = read_own(draft.name, {name: text.encode() for name, text in files.items()})
    assert [(each.name, each.default) for each in runbook.parameters] == [("target", "/tmp/a b")]
    assert runbook.title == 'Set "up"'


def test_a_drafts_zip_keeps_what_is_executable() -> None:
    draft = draft_of("caching", shipped()["caching", "en"].text)
    assert draft is not None
    with zipfile.ZipFile(io.BytesIO(packed(draft))) as archive:
        modes = {each.filename: each.external_attr >> 16 & 0o777 for each in archive.infolist()}
    assert modes == {"caching/runbook.toml": 0o644, "caching/README.md": 0o644, "caching/run": 0o755}
    assert packed(draft) == packed(draft)


def test_a_page_without_commands_makes_none() -> None:
    assert draft_of("x", Text("x", "1. Think\n2. Write\n   ```text\n   x\n   ```")) is None
