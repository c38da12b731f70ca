"""What is taken to be on a disk after a power cut."""

import random
from pathlib import Path

from disk import SECTOR, Disk
from faultlib import Kind, Operation

TRIES = 60


def outcomes(before: Path, calls: list[Operation], tmp_path: Path, *, ordered: bool = True) -> list[dict[str, bytes]]:
    """What may be there, over many power cuts."""
    disk = Disk(before)
    disk.apply(calls)
    found = []
    for turn in range(TRIES):
        place = tmp_path / f"after-{ordered}-{turn}"
        disk.after_power_cut(random.Random(turn), place, ordered=ordered)
        found.append({path.name: path.read_bytes() for path in place.iterdir()})
    return found


def write(path: Path, data: bytes, offset: int = 0) -> Operation:
    return Operation(Kind.WRITE, str(path), result=len(data), file=path.stat().st_ino, offset=offset, data=data)


def sync(path: Path, result: int = 0) -> Operation:
    return Operation(Kind.SYNC, str(path), result=result, file=path.stat().st_ino)


def folder_with_a_file(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "file").write_bytes(b"o" * 4 * SECTOR)
    return folder, folder / "file"


def test_what_was_waited_for_is_there(tmp_path):
    folder, file = folder_with_a_file(tmp_path)
    new = b"n" * 4 * SECTOR
    assert {found["file"] for found in outcomes(folder, [write(file, new), sync(file)], tmp_path)} == {new}


def test_what_was_not_is_there_or_not_or_sector_by_sector(tmp_path):
    folder, file = folder_with_a_file(tmp_path)
    found = {content["file"] for content in outcomes(folder, [write(file, b"n" * 4 * SECTOR)], tmp_path)}
    assert {b"o" * 4 * SECTOR, b"n" * 4 * SECTOR} < found
    sectors = {content[at : at + SECTOR] for content in found for at in range(0, 4 * SECTOR, SECTOR)}
    assert sectors == {b"o" * SECTOR, b"n" * SECTOR}


def test_what_a_failed_wait_was_for_is_gone_also_after_the_next(tmp_path):
    folder, file = folder_with_a_file(tmp_path)
    calls = [write(file, b"n" * 4 * SECTOR), sync(file, result=-5), sync(file)]
    assert {found["file"] for found in outcomes(folder, calls, tmp_path)} == {b"o" * 4 * SECTOR}


def test_a_rename_lasts_from_when_its_folder_was_waited_for(tmp_path):
    folder, file = folder_with_a_file(tmp_path)
    rename = Operation(Kind.RENAME, str(file), str(folder / "new"), file=file.stat().st_ino)
    assert {tuple(found) for found in outcomes(folder, [rename], tmp_path)} == {("file",), ("new",)}
    lasting = outcomes(folder, [rename, sync(folder)], tmp_path / "lasting")
    assert {tuple(found) for found in lasting} == {("new",)}


def test_names_come_in_order_or_in_any(tmp_path):
    folder, _ = folder_with_a_file(tmp_path)
    made = [Operation(Kind.CREATE, str(folder / name), file=number) for number, name in enumerate(("a", "b"), start=1)]
    in_order = {frozenset(found) - {"file"} for found in outcomes(folder, made, tmp_path)}
    assert in_order == {frozenset(), frozenset("a"), frozenset("ab")}
    in_any = {frozenset(found) - {"file"} for found in outcomes(folder, made, tmp_path, ordered=False)}
    assert in_any == in_order | {frozenset("b")}
