"""What the processes of a server hold: memory, descriptors, threads, mapped files (Linux only)."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_KILOBYTES = {"Rss": "rss_mb", "Pss": "pss_mb", "Anonymous": "anonymous_mb"}


def held_by(processes: Iterable[int]) -> dict[str, float]:
    """What some processes hold together; one that has just ended holds nothing.

    `rss_mb` counts shared pages once for each process, `pss_mb` once for all, `anonymous_mb` only what is no file.
    `deleted` are deleted files that are open or mapped still: what keeps the disk full.
    """
    held: Counter[str] = Counter()
    for process in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            held.update(_held(Path(f"/proc/{process}")))
    return {name: round(value, 2) for name, value in held.items()}


def disk_mb(folder: Path) -> float:
    """The size of all files in a folder; one that two generations share counts once."""
    sizes: dict[int, int] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found = path.stat()
            sizes[found.st_ino] = found.st_blocks * 512
    return round(sum(sizes.values()) / 1e6, 2)


def _held(process: Path) -> dict[str, float]:
    lines = [line.split() for line in (process / "smaps_rollup").read_text().splitlines()[1:]]
    found = {_KILOBYTES[name[:-1]]: int(size) / 1024 for name, size, *_ in lines if name[:-1] in _KILOBYTES}
    maps = [line.split(maxsplit=5) for line in (process / "maps").read_text().splitlines()]
    files = {line[5] for line in maps if len(line) == 6 and line[5].startswith("/")}
    opened: list[str] = []
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            opened.append(str(descriptor.readlink()))
    gone = {name for name in (*files, *opened) if name.endswith(" (deleted)") and not name.startswith("/memfd:")}
    return {
        **found, "descriptors": len(opened), "threads": len(list((process / "task").iterdir())),
        "mappings": len(maps), "mapped_files": len(files), "deleted": len(gone),
    }  # fmt: skip
