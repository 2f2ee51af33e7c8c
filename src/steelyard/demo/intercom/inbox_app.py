"""The inbox app beside a conversation: Intercom signs a request, posts it, and draws the canvas it is answered with.

Told nothing, it knows no address: `install` names where the app's canvas is asked for, on this machine.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

import httpx

from steelyard.demo.intercom import shapes
from steelyard.demo.intercom.model import Json, Workspace
from steelyard.demo.intercom.wire import Address

PATIENCE = 10.0
"""Seconds that Intercom waits for a canvas."""

LARGEST = 64 * 1024
"""Bytes of a canvas."""


class NotShown(ValueError):
    """The app was answered with what Intercom cannot draw."""


def signature(secret: str, body: bytes) -> str:
    """The value of X-Body-Signature for the raw `body`."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


class InboxApp:
    """Opens the app beside conversations, and presses its buttons."""

    def __init__(self, workspace: Workspace, secret: str) -> None:
        self._workspace, self._secret = workspace, secret
        self._base = ""

    def install(self, url: str) -> None:
        """Asks `url` from now on, followed by `/initialize` or `/submit`. Raises ValueError unless it is on this
        machine."""
        Address.of(url)
        self._base = url.rstrip("/")

    async def open(self, conversation: int, admin: int, language: str = "en") -> Json:
        """The canvas beside a conversation, as `admin` sees it. Raises KeyError, NotShown."""
        return await self._ask("initialize", self._request(conversation, admin, language), language)

    async def press(self, component: str, canvas: Json, conversation: int, admin: int, language: str = "en") -> Json:
        """The canvas after a button of `canvas` was pressed. Raises as `open` does, KeyError where there is no such."""
        if component not in [each.get("id") for each in canvas["content"]["components"]]:
            raise KeyError(f"component {component}")
        pressed: Json = {"component_id": component, "input_values": {}, "current_canvas": canvas}
        return await self._ask("submit", self._request(conversation, admin, language) | pressed, language)

    def _request(self, conversation: int, admin: int, language: str) -> Json:
        workspace = self._workspace
        shown = workspace.conversations[conversation]
        return {
            "workspace_id": workspace.app_id,
            "workspace_region": workspace.region,
            "admin": shapes.admin(workspace, workspace.admins[admin]),
            "card_creation_options": {},
            "context": {"conversation_id": conversation, "locale": language},
            "conversation": shapes.conversation(shown, plain=True),
            "contact": shapes.contact(workspace, shown.contact),
        }

    async def _ask(self, call: str, request: Json, language: str) -> Json:
        if not self._base:
            raise NotShown("the inbox app is not installed: post its address to /_simulator/inbox_app")
        body = json.dumps(request).encode()
        headers = {
            "Content-Type": "application/json",
            "Accept-Language": language,
            "X-Body-Signature": signature(self._secret, body),
        }
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
                answer = await client.post(f"{self._base}/{call}", content=body, headers=headers)
        except httpx.TransportError as error:
            raise NotShown(f"{call} was not answered: {type(error).__name__}") from None
        if answer.status_code != 200:
            raise NotShown(f"{call} was answered with {answer.status_code}: {answer.text[:200]}")
        if len(answer.content) > LARGEST:
            raise NotShown(f"{call} was answered with {len(answer.content)} bytes")
        found: Any = answer.json()
        return found["canvas"]
