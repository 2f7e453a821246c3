"""The hostile requests. Each was found to stop the server, or to fill its memory, before its fix.

To add one, write a line: a name that says what it is, what is sent (`track`, `recording`, `post`, or a function of your
own), and what must come back.
"""

from tests.hostile.bodies import BODIES
from tests.hostile.headers import HEADERS
from tests.hostile.masking import MASKING
from tests.hostile.pictures import PICTURES
from tests.hostile.recordings import RECORDINGS

HOSTILE = [*HEADERS, *BODIES, *PICTURES, *RECORDINGS, *MASKING]
