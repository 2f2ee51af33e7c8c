"""Everything that can be entered wrongly has its sentence, and nothing is stored or written where one was said."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from steelyard import config
from steelyard.demo.intercom import Config, Simulator, running, shapes
from steelyard.demo.intercom.model import Attribute
from steelyard.kit.errors import SteelyardError
from steelyard.main.ground import shipped_policy
from steelyard.operations.checking import Asked
from steelyard.operations.connecting import connect
from steelyard.routing.policy import parse
from steelyard.store import migrate
from steelyard.store.embedded import APP as APPLICATION
from steelyard.store.embedded import OWNER
from steelyard.store.keys import WEB, WORKER, Keys, add_key, key_file, number_of, read_keys
from steelyard.store.migrate import prepare, steps
from stranger import APP, CONFIG, Operator, writes


def asked(simulator: Simulator, **changes: Any) -> Asked:
    entered = {"region": "us", "token": simulator.config.token, "client_secret": simulator.config.client_secret}
    return Asked(**(entered | changes))


async def tried(them: Operator, wanted: Asked, *, new_keys: bool = False, **changes: str | None) -> Any:
    environment = {name: value for name, value in (them.environment | changes).items() if value is not None}
    return await connect(config.load(environment), wanted, new_keys, lambda *_: None)


async def refusal(them: Operator, wanted: Asked, **changes: str | None) -> str:
    """The sentence; no secret is in it, or in its traceback."""
    with pytest.raises(SteelyardError) as refused:
        await tried(them, wanted, **changes)
    said = "".join(traceback.format_exception(refused.value))
    for secret in (wanted.token, wanted.client_secret):
        assert not secret.strip() or secret not in said
        assert not secret.strip() or secret not in repr(wanted)
    return str(refused.value)


def connected(url: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT workspace FROM workspace").fetchall()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"STEELYARD_REGION": None}, "STEELYARD_REGION is not set, and there is no default region"),
        ({"STEELYARD_REGION": "eu"}, "cell us1 is in eu and does not take a workspace in us: data stays in its region"),
        ({"STEELYARD_REGION": "eu"}, "to a cell in us, which calls https://api.intercom.io. Nothing was sent"),
    ],
)
async def test_the_region_of_the_cell(
    them: Operator, simulator: Simulator, changes: dict[str, str | None], said: str
) -> None:
    assert said in await refusal(them, asked(simulator), **changes)
    assert not simulator.record.counts["calls"], "nothing was sent"


async def test_a_workspace_of_another_region(them: Operator, simulator: Simulator) -> None:
    hosts = {"e": "https://api.eu.intercom.io", "a": "https://api.au.intercom.io"}
    for told in ("EU", "eu", "EU-West-1", "AU", "Europe", "??\x1b[31m?", "", "United States"):
        simulator.workspace.region = told
        said = await refusal(them, asked(simulator))
        assert f"cell us1 is in us and does not take the workspace {APP} in " in said
        assert hosts.get(told[:1].lower(), "Steelyard knows us, eu, au only") in said
        assert said.isprintable()


async def test_a_region_in_other_letters_is_the_same(them: Operator, simulator: Simulator) -> None:
    for told in ("US", "us", "Us-east-1"):
        simulator.workspace.region = told
        assert (await tried(them, asked(simulator))).region == "us"


@pytest.mark.parametrize(("field", "name"), [("token", "access token"), ("client_secret", "client secret")])
async def test_what_can_be_no_secret(them: Operator, simulator: Simulator, field: str, name: str) -> None:
    for value in ("", "two words", "li\nne", "é", "\x00", "a" * 2_001):
        said = await refusal(them, asked(simulator, **{field: value}))
        assert f"the {name} is empty, too long, or has spaces" in said
    assert not simulator.record.counts["calls"]


async def test_the_same_entered_twice(them: Operator, simulator: Simulator) -> None:
    said = await refusal(them, asked(simulator, client_secret=simulator.config.token))
    assert "the access token and the client secret are the same" in said


async def test_a_token_that_intercom_refuses(them: Operator, simulator: Simulator) -> None:
    swapped = asked(simulator, token=simulator.config.client_secret, client_secret=simulator.config.token)
    assert "Intercom in us refuses the access token: it was mistyped or revoked, it is the client secret" in (
        await refusal(them, swapped)
    )


async def test_a_token_of_another_workspace_than_the_one_to_renew(
    them: Operator, simulator: Simulator, superuser_url: str
) -> None:
    said = await refusal(them, asked(simulator, workspace="us1.another"))
    assert said.startswith(f"the token is of us1.{APP}, not of us1.another: nothing was changed.")
    assert connected(superuser_url) == []


async def test_an_intercom_that_cannot_be_reached(them: Operator, simulator: Simulator) -> None:
    said = await refusal(them, asked(simulator), STEELYARD_INTERCOM_URL="http://127.0.0.1:9")
    assert "call me (ConnectError): there was no answer" in said


@pytest.mark.parametrize("operation", ["me", "admins", "teams", "conversation_attributes", "search_conversations"])
@pytest.mark.parametrize("fault", ["forbidden", "error"])
async def test_a_call_that_fails(
    them: Operator, simulator: Simulator, superuser_url: str, operation: str, fault: str
) -> None:
    simulator.faults.plan(operation, ["forbidden"] if fault == "forbidden" else ["error"] * 3)
    said = await refusal(them, asked(simulator))
    assert ("tick the permissions Read admins, Read" if fault == "forbidden" else "it failed to handle the") in said
    assert connected(superuser_url) == []
    assert writes(simulator) == {}
    assert (await tried(them, asked(simulator))).new, "running it again finishes"


async def test_an_attribute_of_another_type(them: Operator, simulator: Simulator, superuser_url: str) -> None:
    for name in ("weight", "topic", "decision"):
        taken(simulator, name, "list")
        said = await refusal(them, asked(simulator))
        del simulator.workspace.attributes[name]
        assert f"a conversation attribute {name} of type list, and Steelyard writes {name} as " in said
        assert "rename yours in Intercom's settings, then connect again" in said
    assert connected(superuser_url) == []
    assert writes(simulator) == {}


@pytest.mark.parametrize("listed", [True, False])
async def test_an_attribute_that_was_archived(
    them: Operator, simulator: Simulator, superuser_url: str, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    taken(simulator, "weight", "integer")
    if listed:
        shape = shapes.attribute
        monkeypatch.setattr(shapes, "attribute", lambda which: shape(which) | {"archived": which.name == "weight"})
    else:
        simulator.workspace.attributes = Hidden(simulator.workspace.attributes)
    said = await refusal(them, asked(simulator))
    assert "does not let Steelyard use the conversation attribute weight: one of that name is archived. Restore" in said
    assert connected(superuser_url) == []


class Hidden(dict[str, Attribute]):
    """Attributes that are not listed, and whose names are taken all the same."""

    def values(self) -> Any:
        return [each for each in super().values() if each.name != "weight"]


def taken(simulator: Simulator, name: str, data_type: str) -> None:
    workspace = simulator.workspace
    workspace.attributes[name] = Attribute(workspace.number("attribute"), name, data_type, workspace.now(), 1)


async def test_a_cell_that_was_renamed(them: Operator, simulator: Simulator, superuser_url: str) -> None:
    await tried(them, asked(simulator))
    said = await refusal(them, asked(simulator), STEELYARD_CELL="us2")
    assert f"holds the workspace as us1.{APP}, not as us2.{APP}: STEELYARD_CELL was us1 when it was connected" in said
    assert connected(superuser_url) == [(f"us1.{APP}",)]


async def test_an_answer_that_is_not_intercoms(them: Operator, simulator: Simulator) -> None:
    simulator.workspace.app_id = "no/app id"
    assert "an Intercom app id has 1 to 64 letters" in await refusal(them, asked(simulator))


async def test_a_database_that_is_not_there(them: Operator, simulator: Simulator) -> None:
    said = await refusal(them, asked(simulator), DATABASE_URL="postgresql://a@127.0.0.1:9/none")
    assert "the database cannot be reached" in said


# Key files


@pytest.mark.parametrize("name", [WEB, WORKER])
async def test_a_key_file_that_is_lost_is_never_replaced_silently(
    them: Operator, simulator: Simulator, superuser_url: str, name: str
) -> None:
    await tried(them, asked(simulator))
    file = key_file(them.keys, name)
    file.unlink()
    stored = secrets_of(superuser_url)
    said = await refusal(them, asked(simulator))
    assert said.startswith(f"{file} is not there, and stored secrets are sealed under it (1). Restore the file")
    assert not file.exists()
    assert secrets_of(superuser_url) == stored
    done = await tried(them, asked(simulator), new_keys=True)
    assert (done.new, list(read_keys(file))) == (False, [2]), "the number of the lost key is never used again"
    place = f"us1.{APP} connection.{'client_secret' if name == WEB else 'access_token'}"
    kept = simulator.config.client_secret if name == WEB else simulator.config.token
    assert Keys(file).unseal(secrets_of(superuser_url)[0][name == WORKER], place) == kept
    assert not (await tried(them, asked(simulator))).new, "and then all is as before"


async def test_a_key_file_of_another_machine(them: Operator, simulator: Simulator, superuser_url: str) -> None:
    await tried(them, asked(simulator))
    file = key_file(them.keys, WORKER)
    add_key(file)
    await tried(them, asked(simulator))
    file.unlink()
    add_key(file)
    said = await refusal(them, asked(simulator))
    assert said.startswith(f"{file} does not hold key 2, and stored secrets are sealed under it (1).")


@pytest.mark.parametrize("name", [WEB, WORKER])
async def test_a_key_file_with_the_right_number_and_another_key(
    them: Operator, simulator: Simulator, superuser_url: str, name: str
) -> None:
    await tried(them, asked(simulator))
    file, stored = key_file(them.keys, name), secrets_of(superuser_url)
    right = file.read_bytes()
    file.unlink()
    add_key(file)
    said = await refusal(them, asked(simulator))
    assert said.startswith(
        f"{file} is not the file that stored secrets are sealed under: its key 1 opens none of them."
    )
    assert secrets_of(superuser_url) == stored
    assert list(read_keys(file)) == [1]
    await tried(them, asked(simulator), new_keys=True)
    assert list(read_keys(file)) == [1, 2]
    assert number_of(secrets_of(superuser_url)[0][name == WORKER]) == 2, "not under a number that means another key"
    file.write_bytes(right)
    assert "does not hold key 2" in await refusal(them, asked(simulator))


@pytest.fixture
def first_schema(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a database of the first migration: its workspace is connected, with both secrets in the clear."""
    name = f"first_{os.getpid()}"
    server.copy("template1", name)
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "steps", lambda: [step for step in steps() if step.number < 2])
        prepare(server.url(OWNER, name), APPLICATION)
    with psycopg.connect(server.url("postgres", name)) as conn:
        text = shipped_policy()
        adopted = [f"us1.{APP}", parse(text).digest]
        conn.execute("INSERT INTO workspace (workspace, policy) VALUES (%s, %s)", adopted)
        conn.execute("INSERT INTO policy (workspace, digest, text) VALUES (%s, %s, %s)", [*adopted, text])
        conn.execute(
            "INSERT INTO connection VALUES (%s, %s, 'Old', 'us', 'http://127.0.0.1:9', 'clear', 'dG9rOmNsZWFy', 1)",
            [f"us1.{APP}", APP],
        )
    yield name
    server.drop(name)


async def test_what_was_never_sealed_is_sealed_by_connecting_again(
    them: Operator, simulator: Simulator, server: Any, first_schema: str
) -> None:
    url, owner = server.url(APPLICATION, first_schema), server.url(OWNER, first_schema)
    said = await refusal(them, asked(simulator), DATABASE_URL=url)
    assert "is older than this release, without connected" in said
    assert "set DATABASE_OWNER_URL to the role that owns the tables and start once more, which migrates it" in said
    prepare(owner, APPLICATION)
    shown = await them.type("secrets", "show", DATABASE_URL=url, COLUMNS="200")
    assert shown.out.count("not sealed: connect again") == 2, shown.err
    place = f"us1.{APP} connection.access_token"
    with pytest.raises(SteelyardError) as refused:
        Keys(key_file(them.keys, WORKER)).unseal("dG9rOmNsZWFy", place)
    assert str(refused.value) == (
        f"{place} is not sealed: connect the workspace again with `steelyard connect intercom`, which seals it"
    )
    done = await tried(them, asked(simulator), DATABASE_URL=url, DATABASE_OWNER_URL=owner)
    assert not done.new
    [(secret, token)] = secrets_of(server.url("postgres", first_schema))
    web, worker = (Keys(key_file(them.keys, name)) for name in (WEB, WORKER))
    assert web.unseal(secret, f"us1.{APP} connection.client_secret") == simulator.config.client_secret
    assert worker.unseal(token, place) == simulator.config.token


@pytest.mark.parametrize("spoilt", [lambda file: file.chmod(0o644), lambda file: file.write_text("1 spoilt\n")])
async def test_a_key_file_that_must_not_be_used(
    them: Operator, simulator: Simulator, superuser_url: str, spoilt: Callable[[Path], object]
) -> None:
    for name in (WEB, WORKER):
        add_key(key_file(them.keys, name))
    spoilt(key_file(them.keys, WEB))
    assert "web.keys" in await refusal(them, asked(simulator))
    assert connected(superuser_url) == []
    assert writes(simulator) == {}


async def test_two_workspaces_of_one_cell_have_secrets_of_their_own(
    them: Operator, simulator: Simulator, superuser_url: str
) -> None:
    await tried(them, asked(simulator))
    async with running(Config(**(CONFIG | {"app_id": "another"}))) as second:
        done = await tried(them, asked(second), STEELYARD_INTERCOM_URL=second.base_url)
    assert (done.workspace, done.new) == ("us1.another", True)
    (_, ours), (_, theirs) = secrets_of(superuser_url)
    worker = Keys(key_file(them.keys, WORKER))
    assert worker.unseal(ours, f"us1.{APP} connection.access_token") == simulator.config.token
    with pytest.raises(SteelyardError, match="was not sealed here"):
        worker.unseal(theirs, f"us1.{APP} connection.access_token")


def secrets_of(url: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT client_secret, access_token FROM connection ORDER BY connected_at").fetchall()
