"""The process in which `LzDecoder` decompresses: `python -m tracker_backend.dialects.uxcam.lz_worker`.

A question on stdin is QUESTION (size, limit) followed by `size` bytes of text. Its answer on stdout is ANSWER (status,
size) followed by `size` bytes: the JSON for status 200, else the error's text. The process ends when stdin closes.
"""

import signal
import struct
import sys
from typing import BinaryIO

from tracker_backend.dialects.uxcam.lzstring import decompress
from tracker_backend.errors import Invalid, TooLarge

QUESTION = struct.Struct("<QQ")
ANSWER = struct.Struct("<HQ")
OK = 200


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answers until there is no further question."""
    while len(head := questions.read(QUESTION.size)) == QUESTION.size:
        size, limit = QUESTION.unpack(head)
        status, answer = _answer(questions.read(size), limit)
        answers.write(ANSWER.pack(status, len(answer)) + answer)
        answers.flush()


def _answer(text: bytes, limit: int) -> tuple[int, bytes]:
    try:
        return OK, decompress(text.decode(errors="surrogatepass"), limit)
    except (Invalid, TooLarge) as error:
        return error.status, error.detail.encode()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which closes our stdin
    answer_all(sys.stdin.buffer, sys.stdout.buffer)
