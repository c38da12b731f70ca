"""Who else is about while an index is written: readers, writers that come second, and people with no right to write."""

import ctypes
import os
import random
import stat
import time
from pathlib import Path
from typing import Any

from editions import ARTICLES, hit_mistakes, load, seen, word_of
from trials import REMOVED, Tell

from index.build import remove
from index.errors import IndexLocked
from index.generation import writer_lock
from search.engine import Engine

_NEW_MOUNTS = 0x00020000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4_096, 16_384, 1 << 18


def follow_and_search(root: Path, seconds: float, tell: Tell) -> list[str]:
    """Searches for a while as a server does, following changes; returns what was wrong with the answers."""
    engine = Engine.open(root, load)
    chance, wrong = random.Random(0), list[str]()
    until = time.monotonic() + seconds
    while time.monotonic() < until and not wrong:
        engine.refresh(load)
        hits = engine.search(word_of(chance.randrange(ARTICLES)), size=3).hits
        wrong += [f"reader: {mistake}" for hit in hits for mistake in hit_mistakes(hit)]
    engine.close()
    return wrong


def try_to_write(root: Path, holder: int) -> list[str]:
    """Tries to write while process `holder` does; returns what is wrong with how that is refused."""
    try:
        remove(root, [f"a{REMOVED[0]}"])
    except IndexLocked as error:
        return [] if f"process {holder} " in str(error) else [f"refused without saying by whom: {error}"]
    return ["two wrote at once"]


def wait_and_write(root: Path, seconds: float, tell: Tell) -> None:
    """Waits for the lock; what it writes is nothing."""
    with writer_lock(root, wait_seconds=seconds):
        tell("0")


def look_where_nothing_can_be_written(place: Path, root: Path) -> dict[str, Any] | None:
    """What an index holds where nothing can be written, and what is wrong there; None where that cannot be arranged."""
    if not _make_read_only(place):
        return None
    engine = Engine.open(root, load)
    state, wrong = seen(engine)
    engine.close()
    try:
        remove(root, [f"a{next(iter(state))}"])
    except OSError as error:
        if not error.strerror:
            wrong.append(f"a writer is told: {error}")
    else:
        wrong.append("something was written where nothing can be")
    return {"state": {str(number): edition for number, edition in state.items()}, "wrong": wrong}


def _make_read_only(place: Path) -> bool:
    """Takes this process, and only it, the right to write below `place`."""
    if os.getuid():
        for path in (place, *place.rglob("*")):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        return True
    system = ctypes.CDLL(None, use_errno=True)
    name = os.fsencode(place)
    return (
        system.unshare(_NEW_MOUNTS) == 0
        and system.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None) == 0
        and system.mount(name, name, None, _BIND, None) == 0
        and system.mount(None, name, None, _REMOUNT | _BIND | _READ_ONLY, None) == 0
    )
