"""Actions on a site's database, and SQL that no content can leave. Pure. What they do: hosted/mysql.py."""

from __future__ import annotations

from collections.abc import Mapping

from steelyard.toolbox.model import Action, By, Json


def query(
    config: str,
    sql: str,
    values: Mapping[str, Json] | None = None,
    *,
    php: str = "",
    most: int = 1000,
    by: By = By.SITE,
    timeout: float = 60.0,
) -> Action:
    """Reads rows of the database that a wp-config.php names: `{"rows": [[text | None, ...], ...], "cut": bool}`.

    `%(name)s` in `sql` stands for one of `values`: a text, a number, None or a list of them. Names of tables go through
    `name`. `php`: the PHP to ask where the configuration is no plain one.
    """
    return _action("mysql.query", config, sql, values, php, most, by, timeout)


def execute(
    config: str,
    sql: str,
    values: Mapping[str, Json] | None = None,
    *,
    php: str = "",
    most: int = 1000,
    by: By = By.SITE,
    timeout: float = 60.0,
) -> Action:
    """Changes the database, by statements that do no harm when done twice. Arguments and answer as of `query`."""
    return _action("mysql.execute", config, sql, values, php, most, by, timeout)


def name(text: str) -> str:
    """A name of a table, column or schema, quoted for SQL. Raises ValueError where it cannot be one."""
    if not text or "\0" in text:
        raise ValueError("a table needs a name")
    return "`" + text.replace("`", "``") + "`"


def like(text: str) -> str:
    r"""`text` as a pattern of LIKE that stands for itself, to be given as a value: `_`, `%` and `\` are escaped by `|`.

    The statement says `LIKE %(pattern)s ESCAPE '|'`.
    """
    return "".join("|" + each if each in "_%|" else each for each in text)


def _action(
    verb: str, config: str, sql: str, values: Mapping[str, Json] | None, php: str, most: int, by: By, timeout: float
) -> Action:
    args: dict[str, Json] = {"config": config, "sql": sql}
    if values:
        args["values"] = dict(values)
    if php:
        args["php"] = php
    if most != 1000:
        args["most"] = most
    if timeout != 60.0:
        args["timeout"] = timeout
    return Action(verb, args, by, timeout)
