"""Looks for a text in every column of every table, chunks and computed hours included."""

from tracker_backend.storage.database import Database

# Column by column: TimescaleDB cannot read whole rows of a compressed chunk.
_TABLES = """
    select format('%I.%I', nspname, relname), format('concat_ws(chr(1), %s)', string_agg(quote_ident(attname), ', '))
    from pg_class c join pg_namespace n on n.oid = relnamespace
    join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped
    where nspname in ('tracker', '_timescaledb_internal', '_timescaledb_catalog') and relkind = 'r'
        and has_table_privilege(c.oid, 'select')
    group by 1, c.oid order by 1"""


async def holding(database: Database, *texts: str) -> set[str]:
    """The tables with a row that holds one of these texts, as text or as the bytes of one."""
    wanted = [each for text in texts for each in (text, text.encode().hex())]
    found: set[str] = set()
    async with database.maintained.pool.acquire() as connection:
        for table, columns in await connection.fetch(_TABLES):
            if await connection.fetchval(
                f"select exists (select from {table} where exists"
                f" (select from unnest($1::text[]) w where strpos({columns}, w) > 0))",
                wanted,
            ):
                found.add(table)
    return found
