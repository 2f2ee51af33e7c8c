"""Templates as they were compiled, in memory: what one becomes is the same in every language."""

from types import CodeType

from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """Keeps each template's code, for as long as its source is what it was."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Gives `bucket` the code that was compiled before, where there is any."""
        source, code = self._known.get(bucket.key, ("", None))
        if source == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what was just compiled."""
        self._known[bucket.key] = bucket.checksum, bucket.code


COMPILED = Compiled()
"""Of this process: every language and every console of it shares them."""
