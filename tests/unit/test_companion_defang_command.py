"""`steelyard defang`."""

import json
import subprocess
import sys

import pytest


def run(*arguments: str, read: bytes = b"", status: int = 0) -> str:
    """What the command prints, or why it refuses."""
    command = [sys.executable, "-m", "steelyard", "defang", *arguments]
    done = subprocess.run(command, input=read, capture_output=True, timeout=30)
    assert done.returncode == status, done.stderr.decode()
    return (done.stderr if status else done.stdout).decode()


def test_a_text_is_defanged() -> None:
    assert run("see https://evil.com/x and evil.org") == "see hxxps://evil[.]com/x and evil[.]org\n"


def test_trusted_domains_stay() -> None:
    done = run(
        "https://a.trusted.com https://only.org https://a.only.org", "--trust", "trusted.com", "--trust", "=only.org"
    )
    assert done == "https://a.trusted.com https://only.org hxxps://a[.]only[.]org\n"


@pytest.mark.parametrize("arguments", [("-",), ()])
def test_standard_input_is_read_and_given_back_with_its_ends_of_lines(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, read=b"evil.com\r\nreadme.md") == "evil[.]com\r\nreadme.md"


def test_bytes_that_are_no_utf_8_do_not_stop_it() -> None:
    assert run("-", read=b"\xff evil.com") == "\ufffd evil[.]com"


def test_back() -> None:
    assert run("hxxps://evil[.]com/x", "--back") == "https://evil.com/x\n"


def test_for_machines() -> None:
    assert json.loads(run("evil.com", "--json")) == {"text": "evil[.]com", "changed": True}
    assert json.loads(run("readme.md", "--json")) == {"text": "readme.md", "changed": False}


@pytest.mark.parametrize("domain", ["com", "https://trusted.com", ""])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    assert "no domain that can be" in run("evil.com", "--trust", domain, status=2)
