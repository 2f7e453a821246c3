"""Projects as their own clients see them."""

from msgspec import Struct

from tracker_backend.errors import NotFound
from tracker_backend.queries import keys
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "projects")


class Project(Struct, frozen=True):
    """A project with the public write key that its pages carry."""

    project_id: int
    name: str
    platform: str
    public_key: str


async def get_project(pool: Pool, project_id: int) -> Project:
    """The project, or NotFound. Its public key is made when there is none yet."""
    row = await pool.fetchrow(_sql.get, project_id)
    if row is None:
        raise NotFound("there is no such project any more.")
    return Project(*row, public_key=await keys.public_key(pool, project_id))


async def is_named(pool: Pool, project_id: int, name: str) -> bool:
    """Whether a text names this project: its id, or a write key of it."""
    if name == str(project_id):
        return True
    record = await keys.find_key(pool, keys.digest(name))
    return record is not None and record.kind == "write" and record.project_id == project_id
