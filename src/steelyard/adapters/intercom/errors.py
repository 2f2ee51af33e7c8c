"""What can go wrong in a call of Intercom. Messages hold codes and ids only: never a token, never a customer's words.

IntercomError
├── Unreachable     no answer: the network, or too slow
├── RateLimited     too many calls in Intercom's ten seconds
├── Unauthorized    the token is not (or no longer) valid
├── Forbidden       the token or the workspace's plan does not permit it
├── NotFound        what the call names is not there
├── Conflict        somebody changed it at the same time
├── Invalid         Intercom does not accept what was sent
├── ServerFault     Intercom failed
└── AnswerError     the answer is not what the API's description promises
"""

from datetime import UTC, datetime
from typing import ClassVar

from steelyard.kit.errors import RemoteError


class IntercomError(RemoteError):
    """A call of Intercom did not succeed.

    `call` is the client's method, `status` the HTTP status (0: no answer), `code` Intercom's word for the error and
    `request_id` what its support asks for (both may be empty). `may_have_happened`: the call may have taken effect all
    the same, so read back before repeating it.
    """

    said: ClassVar[str]
    advice: ClassVar[str]

    def __init__(
        self, call: str, *, status: int = 0, code: str = "", request_id: str = "", may_have_happened: bool = False
    ) -> None:
        self.call = call
        self.status = status
        self.code = code
        self.request_id = request_id
        self.may_have_happened = may_have_happened
        super().__init__(self._message())

    def _message(self) -> str:
        named = " ".join(filter(None, (str(self.status or ""), self.code)))
        quoted = f" Intercom's request id: {self.request_id}." if self.request_id else ""
        return f"Intercom, call {self.call}{f' ({named})' if named else ''}: {self.said}. {self.advice}.{quoted}"


class Unreachable(IntercomError):
    """No answer. `may_have_happened` is False only if the request was never sent; `code` is the network's error."""

    permanent = False
    said = "there was no answer"
    advice = "Check this machine's network and Intercom's status page; the call can be made again later"


class RateLimited(IntercomError):
    """Too many calls. Nothing happened; `retry_at` is when calls are welcome again, in seconds since 1970 UTC."""

    permanent = False
    said = "too many calls in its ten-second window"
    advice = "Make the call again then; other apps of the workspace share the limit"

    def __init__(self, call: str, *, retry_at: float, status: int = 429, code: str = "", request_id: str = "") -> None:
        self.retry_at = retry_at
        self._again = f"{datetime.fromtimestamp(retry_at, UTC):%H:%M:%S}"
        super().__init__(call, status=status, code=code, request_id=request_id)

    def _message(self) -> str:
        return f"{super()._message()} Calls are welcome again at {self._again} UTC."


class Unauthorized(IntercomError):
    """401: the token is wrong or was revoked. Not permanent: the calls that wait succeed once a new token is stored."""

    permanent = False
    said = "the access token is wrong or was revoked"
    advice = "Store a valid token for this workspace"


class Forbidden(IntercomError):
    """402 or 403: the token's permissions or the workspace's plan exclude the call."""

    said = "the app's permissions or the workspace's plan do not allow this"
    advice = "Grant the permission in Intercom's Developer Hub, or do without this call"


class NotFound(IntercomError):
    """404 or 410: the conversation, admin, team, tag or ticket is not there."""

    said = "what the call names is not there, or no longer"
    advice = "Read the workspace again before deciding anew"


class Conflict(IntercomError):
    """409: somebody else changed it at the same time."""

    permanent = False
    said = "somebody changed it at the same time"
    advice = "Read it again, then decide whether the call is still wanted"


class Invalid(IntercomError):
    """400, 422 and the other refusals: Intercom does not accept what was sent. `field` is the one it names, if any."""

    said = "it does not accept what was sent"
    advice = "Compare the workspace's settings with what the call needs (docs/reference/intercom-calls.md)"

    def __init__(self, call: str, *, field: str = "", status: int = 0, code: str = "", request_id: str = "") -> None:
        self.field = field
        super().__init__(call, status=status, code=code, request_id=request_id)

    def _message(self) -> str:
        return super()._message() + (f" It names the field {self.field}." if self.field else "")


class ServerFault(IntercomError):
    """408 or 5xx: Intercom failed, before or after doing what was asked."""

    permanent = False
    said = "it failed to handle the call"
    advice = "Try again later; Intercom's status page may say more"


class AnswerError(IntercomError):
    """The answer is not of the described shape. `field` is the first place that is wrong, such as `admins[3].id`."""

    said = "its answer is not of the described shape"
    advice = "Check that the app's API version in the Developer Hub and this release agree, then report it"

    def __init__(self, call: str, field: str, *, status: int = 200, request_id: str = "") -> None:
        self.field = field
        super().__init__(call, status=status, request_id=request_id, may_have_happened=True)

    def _message(self) -> str:
        return f"{super()._message()} Wrong at {self.field}."
