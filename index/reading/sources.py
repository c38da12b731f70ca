"""The files that sources lead to: named ones, and all those below a folder.

A folder or file that is reached twice, by a link or by name, is read once. Nothing is opened here.
"""

import errno
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from index.errors import UsageError

STANDARD_INPUT = "-"
IGNORE_FILE = ".datelineignore"


@dataclass(frozen=True, slots=True)
class Found:
    """A file with its size, or why what is there cannot be read."""

    path: Path
    size: int = 0
    reason: str = ""


def is_web_address(source: str) -> bool:
    """Whether a source is fetched, not opened."""
    return source.lower().startswith(("http://", "https://"))


def existing(sources: Sequence[str]) -> list[Path]:
    """The sources that are files or folders. Raises UsageError when one does not exist."""
    paths = [Path(source) for source in sources if source != STANDARD_INPUT and not is_web_address(source)]
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"No such file or folder: {path}")
    return paths


def found_below(paths: Sequence[Path]) -> Iterator[Found]:
    """The files that the paths lead to, each once, those of a folder in the order of their names.

    Of a folder, hidden files are passed over, and so is what its .datelineignore names, in the syntax of
    .gitignore. Folders that are links are followed.
    """
    seen: set[int] = set()
    for path in paths:
        for found in _below(path, seen) if path.is_dir() else [_found(path)]:
            if found.reason or not _known(found.path, seen):
                yield found


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders, also those that cannot be read."""
    return (found.path for found in found_below([folder]))


def shown(path: Path) -> str:
    """A path as text that can be printed and stored, also where its name is not."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _below(folder: Path, seen: set[int]) -> Iterator[Found]:
    troubles: list[OSError] = []
    rules, trouble = _ignore_rules(folder)
    if trouble:
        yield Found(folder / IGNORE_FILE, reason=trouble)
    _known(folder, seen)
    for current, folders, names in os.walk(folder, onerror=troubles.append, followlinks=True):
        here = Path(current)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and not rules.match_file(f"{(here / name).relative_to(folder)}/")
            and not _known(here / name, seen)
        )  # fmt: skip
        for name in sorted(names):
            if not name.startswith(".") and not rules.match_file(str((here / name).relative_to(folder))):
                yield _found(here / name)
        while troubles:
            yield _unreadable(troubles.pop())
    while troubles:
        yield _unreadable(troubles.pop())


def _unreadable(error: OSError) -> Found:
    return Found(Path(os.fsdecode(error.filename)), reason=reason_of(error))


def _found(path: Path) -> Found:
    try:
        status = path.stat()
    except OSError as error:
        link = path.is_symlink() and isinstance(error, FileNotFoundError)
        return Found(path, reason="a link to nothing" if link else reason_of(error))
    return Found(path, status.st_size, refused(status.st_mode))


def refused(mode: int) -> str:
    """Why what has this mode is not to be opened, or an empty text for a file."""
    if stat.S_ISREG(mode):
        return ""
    return _NO_FILES.get(stat.S_IFMT(mode), "not a regular file")


_NO_FILES = {
    stat.S_IFIFO: "a pipe and no file: read it with - as standard input", stat.S_IFSOCK: "a socket and no file",
    stat.S_IFCHR: "a device and no file", stat.S_IFBLK: "a device and no file", stat.S_IFDIR: "a folder and no file",
}  # fmt: skip


def reason_of(error: OSError) -> str:
    """What the system says, as a reason."""
    match error.errno:
        case errno.ENOENT:
            return "the file is gone"
        case errno.ELOOP:
            return "a link that leads to itself"
        case _:
            return (error.strerror or type(error).__name__).lower()


def _known(path: Path, seen: set[int]) -> bool:
    """Whether this very file or folder was reached before; from now on it was."""
    try:
        status = path.stat()
    except OSError:
        return False
    # The number of a deleted file goes to the next new one, which has another time. A hash of 64 bits
    # takes far less memory than the three numbers; among ten million files two are the same with odds of 1 in 400,000.
    changed = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    identity = hash((status.st_dev, status.st_ino, changed))
    if identity in seen:
        return True
    seen.add(identity)
    return False


def _ignore_rules(folder: Path) -> tuple[GitIgnoreSpec, str]:
    """The rules of a folder, and why they are not all there."""
    file = folder / IGNORE_FILE
    if not file.is_file():
        return GitIgnoreSpec.from_lines([]), ""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_RULE_BYTES).decode("utf-8-sig", "replace")
    except OSError as error:
        return GitIgnoreSpec.from_lines([]), reason_of(error)
    lines = text.splitlines()
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # "[[" will mean another thing one day
        wrong = [line for line in lines if not _is_rule(line)]
        rules = GitIgnoreSpec.from_lines(line for line in lines if line not in wrong)
    return rules, f"not a rule: {wrong[0][:80]}" if wrong else ""


_MOST_RULE_BYTES = 2**20
# In a name, and as names themselves. A rule becomes a regular expression, whose time grows with the length of a path to
# the power of these; folders of documents come from anywhere, and their rules with them.
_MOST_WILDCARDS = 3


def _is_rule(line: str) -> bool:
    parts = line.split("/")
    if max(parts.count("**"), *(part.count("*") for part in parts if part != "**"), 0) > _MOST_WILDCARDS:
        return False
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
