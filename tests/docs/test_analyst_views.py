"""The schema's page tells analysts what they see."""

import re

import asyncpg

from tests.docs.pages import ROOT

_CODE = re.compile(r"`([^`]+)`")


async def test_the_page_of_the_schema_lists_exactly_the_columns_of_the_analysts_views(dsn: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    found: dict[str, dict[str, set[str]]] = {"tracker": {}, "tracker_analyst": {}}
    for schema, table, column in await connection.fetch(
        "select table_schema, table_name, column_name from information_schema.columns where table_schema ~ '^tracker'"
    ):
        found[schema].setdefault(table, set()).add(column)
    await connection.close()
    text = (ROOT / "docs" / "reference" / "schema.md").read_text("utf-8")
    section = text.partition("\n## For analysts\n")[2].partition("\n## ")[0]
    listed = set(_CODE.findall(section.partition("- **sessions**")[2].partition("\n- **")[0]))
    views = found["tracker_analyst"]
    assert views.pop("sessions") == listed
    assert sorted(views) == sorted(re.findall(r"\*\*(\w+)\*\*", section.partition("- **sessions**")[2]))
    for view, columns in views.items():
        assert columns == found["tracker"][view]
