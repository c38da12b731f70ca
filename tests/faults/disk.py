"""What a disk may hold after a power cut: built from the calls that were made and what waited for the disk.

What was waited for is there. Of what was written since, each sector is there or not, each change of a size too; of
names that were made, changed or deleted since, either the first few are there, as file systems with a journal have
it, or any.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultlib import Kind, Operation

SECTOR = 512
_NAMES = Kind.CREATE | Kind.MKDIR | Kind.LINK | Kind.RENAME | Kind.UNLINK
_FOLDER, _NOTHING = -1, -2


@dataclass(slots=True)
class _File:
    """The content of a file as it was last waited for, and the changes since."""

    durable: bytearray
    since: list[Operation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Naming:
    """A call that changed names, the file that it is about, and the folders that it changed."""

    call: Operation
    file: int
    folders: frozenset[str]


Known = Callable[[_Naming], bool]


class Disk:
    """A folder on a disk while calls are made to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files: list[_File] = []
        self._of_inode: dict[int, int] = {}
        self._names: dict[str, int] = {str(folder): _FOLDER}
        self._waiting: list[_Naming] = []
        # How many of those that wait are there in any case, where they come in order.
        self._certain = 0
        for path in sorted(folder.rglob("*")):
            self._names[str(path)] = _FOLDER if path.is_dir() else self._known(path.stat().st_ino, path)

    def _known(self, inode: int, path: Path | None = None) -> int:
        if inode not in self._of_inode:
            self._of_inode[inode] = len(self._files)
            self._files.append(_File(bytearray(path.read_bytes() if path else b"")))
        return self._of_inode[inode]

    def apply(self, calls: Iterable[Operation]) -> None:
        """Takes in calls that were made."""
        for call in calls:
            if call.kind is Kind.SYNC:
                self._sync(call)
            elif call.result >= 0 and call.kind in _NAMES:
                self._name(call)
            elif call.result >= 0 and call.kind in (Kind.WRITE | Kind.TRUNCATE):
                self._files[self._known(call.file)].since.append(call)
            elif call.kind is Kind.MAPPED:
                raise AssertionError(f"{call.path} is changed where no call tells of it")

    def _name(self, call: Operation) -> None:
        if call.kind is Kind.CREATE:
            self._of_inode.pop(call.file, None)  # the number may have been another file's
        file = _FOLDER if call.kind is Kind.MKDIR else _NOTHING if call.kind is Kind.UNLINK else self._known(call.file)
        folders = {path.rpartition("/")[0] for path in (call.path, call.other) if path}
        self._waiting.append(_Naming(call, file, frozenset(folders)))

    def _sync(self, call: Operation) -> None:
        folder = call.file not in self._of_inode
        if call.result < 0:
            # As Linux does: what could not be written counts as written, and is gone.
            if not folder:
                self._files[self._known(call.file)].since.clear()
            return
        if folder:
            self._make_certain(lambda naming: call.path in naming.folders)
            return
        at = self._known(call.file)
        file = self._files[at]
        for change in file.since:
            _change(file.durable, change)
        file.since.clear()
        self._journal_up_to(lambda naming: naming.file == at)

    def _make_certain(self, known: Known) -> None:
        """Applies the names that a wait for their folder makes certain, and remembers how far a journal is written."""
        self._journal_up_to(known)
        for naming in filter(known, self._waiting):
            _rename(self._names, naming)
        self._certain = sum(not known(naming) for naming in self._waiting[: self._certain])
        self._waiting = [naming for naming in self._waiting if not known(naming)]

    def _journal_up_to(self, known: Known) -> None:
        last = max((position for position, naming in enumerate(self._waiting) if known(naming)), default=-1)
        self._certain = max(self._certain, last + 1)

    def after_power_cut(self, chance: random.Random, place: Path, *, ordered: bool) -> None:
        """Writes into `place` what the disk may hold if the power goes now."""
        names = dict(self._names)
        for naming in self._kept(chance, ordered=ordered):
            _rename(names, naming)
        place.mkdir(parents=True, exist_ok=True)
        contents: dict[int, Path] = {}
        for name, file in sorted(names.items()):
            path = place / Path(name).relative_to(self._folder)
            if not path.parent.is_dir():
                continue  # the folder has not come to be
            if file == _FOLDER:
                path.mkdir(exist_ok=True)
            elif file in contents:
                path.hardlink_to(contents[file])
            else:
                path.write_bytes(self._content(self._files[file], chance))
                contents[file] = path

    def _kept(self, chance: random.Random, *, ordered: bool) -> Sequence[_Naming]:
        if ordered:
            least, most = self._certain, len(self._waiting)
            return self._waiting[: chance.choice([least, most, chance.randint(least, most)])]
        return [naming for naming in self._waiting if chance.random() < 0.5]

    def _content(self, file: _File, chance: random.Random) -> bytes:
        content = bytearray(file.durable)
        for change in file.since:
            match chance.choice(["all", "none", "torn"]):
                case "all":
                    _change(content, change)
                case "torn" if change.kind is Kind.WRITE:
                    _tear(content, change, chance)
        return bytes(content)


def _rename(names: dict[str, int], naming: _Naming) -> None:
    call = naming.call
    match call.kind:
        case Kind.CREATE | Kind.MKDIR:
            names[call.path] = naming.file
        case Kind.LINK:
            names[call.other] = naming.file
        case Kind.RENAME:
            names.pop(call.path, None)
            names[call.other] = naming.file
        case Kind.UNLINK:
            names.pop(call.path, None)


def _change(content: bytearray, call: Operation) -> None:
    if call.kind is Kind.TRUNCATE:
        del content[call.offset :]
        content.extend(bytes(call.offset - len(content)))
    else:
        _write(content, call.offset, call.data)


def _tear(content: bytearray, call: Operation, chance: random.Random) -> None:
    """Writes some of the sectors."""
    at = 0
    while at < len(call.data):
        size = SECTOR - (call.offset + at) % SECTOR
        if chance.random() < 0.5:
            _write(content, call.offset + at, call.data[at : at + size])
        at += size


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
