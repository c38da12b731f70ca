"""Faults in this process's dealings with the files below a folder: faultlib.c from Python.

Compiled when it is first needed. `begin` cannot be taken back, so it belongs into a process forked for one trial.
"""

import ctypes
import errno
import hashlib
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
_ALWAYS = 2**62


class Kind(IntFlag):
    """What a call does to the files below the folder; numbers as in faultlib.c."""

    CREATE = 1
    WRITE = 2
    SYNC = 4
    RENAME = 8
    UNLINK = 16
    LINK = 32
    MKDIR = 64
    TRUNCATE = 128
    OPEN = 256  # for writing, of a file that is there and stays as it is
    MAPPED = 512  # shared and writable; never logged in a sound run, for what is written so is not seen
    MARK = 1024


CHANGES = Kind.CREATE | Kind.WRITE | Kind.SYNC | Kind.RENAME | Kind.UNLINK | Kind.LINK | Kind.MKDIR | Kind.TRUNCATE
NEEDS_ROOM = Kind.CREATE | Kind.WRITE | Kind.RENAME | Kind.LINK | Kind.MKDIR
EVERYTHING = CHANGES | Kind.OPEN


class Action(IntEnum):
    """What is done at a call; numbers as in faultlib.c."""

    LOG_ONLY = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    KILL_TORN = 3  # half of what a call writes is written
    STOP = 4
    FAIL = 5
    SHORT = 6  # the first call writes half of what it should, those after it fail


@dataclass(frozen=True, slots=True)
class Orders:
    """What happens at which calls: from the `first` to the `last` of these kinds, counted from 1."""

    action: Action = Action.LOG_ONLY
    first: int = 0
    last: int = 0
    kinds: Kind = CHANGES
    error: int = errno.EIO

    @classmethod
    def once(cls, action: Action, at: int, kinds: Kind = CHANGES, error: int = errno.EIO) -> "Orders":
        """At one call."""
        return cls(action, at, at, kinds, error)

    @classmethod
    def from_then_on(cls, action: Action, at: int, kinds: Kind = CHANGES, error: int = errno.EIO) -> "Orders":
        """At that call and all after it."""
        return cls(action, at, _ALWAYS, kinds, error)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that was made. `path` is also the line of a mark, `file` the inode where the call is about a file."""

    kind: Kind
    path: str
    other: str = ""
    result: int = 0
    file: int = 0
    offset: int = 0
    data: bytes = b""


_RECORD = struct.Struct("<IIIIqQq")


def missing() -> str | None:
    """Why there can be no faults here, or None if there can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "faults are only for Linux on x86-64"
    if not (shutil.which("cc") or os.environ.get("CC")):
        return "faults need a C compiler"
    return None


@cache
def library_path() -> Path:
    """The compiled library, kept among temporary files under the hash of its source."""
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"dateline-faults-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    built = folder / f"faultlib-{digest}.so"
    if not built.exists():
        draft = folder / f"{built.name}.{os.getpid()}"
        compiler = os.environ.get("CC", "cc")
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", "-o", str(draft), str(_SOURCE), "-ldl"], check=True, timeout=60
        )
        draft.replace(built)
    return built


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    library.faults_begin.argtypes = [
        ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_long, ctypes.c_long, ctypes.c_int,
    ]  # fmt: skip
    library.faults_counted.restype = ctypes.c_long
    library.faults_mark.argtypes = [ctypes.c_char_p]
    library.faults_set_clock.argtypes = [ctypes.c_long]
    return library


def load() -> None:
    """Loads the library now, so that forked processes have it."""
    _library()


def begin(folder: Path, orders: Orders, log: int = -1) -> None:
    """From now on, calls about what is below `folder` are counted, answered as ordered and written to `log`."""
    failed = _library().faults_begin(
        os.fsencode(folder), log, orders.action, orders.kinds, orders.first, orders.last, orders.error
    )
    if failed:
        raise OSError(failed, os.strerror(failed))


def counted() -> int:
    """How many calls of the ordered kinds there were."""
    return int(_library().faults_counted())


def mark(line: str) -> None:
    """Puts a line among the logged calls."""
    _library().faults_mark(line.encode())


def set_clock(seconds: int) -> None:
    """Sets the clock of this process forward, or back; only where the library is preloaded."""
    _library().faults_set_clock(seconds)


def with_clock() -> None:
    """Starts this program again with the library preloaded, unless it is."""
    if os.environ.get("LD_PRELOAD") != str(library_path()):
        # Threads of linear algebra and forks do not go together.
        alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **alone, "LD_PRELOAD": str(library_path())}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def read_log(path: Path) -> Iterator[Operation]:
    """What was logged; a last record that was cut off is left out."""
    with path.open("rb") as file:
        while len(header := file.read(_RECORD.size)) == _RECORD.size:
            kind, path_length, other_length, data_length, result, inode, offset = _RECORD.unpack(header)
            body = file.read(path_length + other_length + data_length)
            if len(body) < path_length + other_length + data_length:
                return
            name, rest = body[:path_length], body[path_length:]
            other, data = rest[:other_length], rest[other_length:]
            yield Operation(Kind(kind), os.fsdecode(name), os.fsdecode(other), result, inode, offset, data)
