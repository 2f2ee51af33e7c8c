"""Every job declares whose it is by its arguments: the first names the workspace, and all are ids."""

import inspect
from typing import Any, cast

from procrastinate.tasks import Task

from steelyard.jobs.app import job_app
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.tasks import QUEUES, RoutingJobs
from steelyard.routing.tell import QUEUES as TELL_QUEUES
from steelyard.routing.tell import TellJobs
from steelyard.toolbox.tasks import TOOLBOX, register

NOTHING = cast(Any, None)
OF_ROOM = {"routing": (*QUEUES, *TELL_QUEUES), "toolbox": (TOOLBOX,)}
"""The queues that workers read, by the room whose jobs are in them."""


def tasks() -> dict[str, Task[Any, Any, Any]]:
    """Every task of every room; Procrastinate's own left out."""
    app = job_app("postgresql://nobody@/nowhere")
    reconcile, deeds = Reconcile(NOTHING, NOTHING, NOTHING), Deeds(NOTHING, NOTHING, NOTHING)
    RoutingJobs(app, NOTHING, Delivery(NOTHING, NOTHING, NOTHING, NOTHING), reconcile, deeds)
    TellJobs(app, NOTHING, NOTHING, "en", NOTHING, NOTHING)
    register(app, NOTHING)
    return {name: task for name, task in app.tasks.items() if not name.startswith(("builtin", "procrastinate"))}


def test_every_job_names_its_workspace_and_carries_ids_only() -> None:
    found = tasks()
    assert len(found) >= 4
    for name, task in found.items():
        arguments = dict(inspect.signature(task.func).parameters)
        if task.pass_context:
            del arguments[next(iter(arguments))]
        assert next(iter(arguments)) == "workspace", name
        assert {each.annotation for each in arguments.values()} <= {"str", "int"}, name


def test_every_job_is_named_after_its_room_and_has_a_queue_that_workers_read() -> None:
    for name, task in tasks().items():
        room = name.partition(".")[0]
        assert task.queue in OF_ROOM[room], name
