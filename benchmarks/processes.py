"""Running a command to its end: its output, its seconds, and the memory of all its processes at their highest."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOKS_A_SECOND = 5


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command printed and took; `peak_mb` counts shared pages once and is None where Linux's /proc is not."""

    output: str
    seconds: float
    peak_mb: float | None


class CommandFailed(Exception):
    """A command ended with another status than zero."""


def run_measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Runs `command`; whole seconds from its start to its end. Raises CommandFailed with the end of its errors."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    memory = _Memory(process.pid)
    memory.start()
    output, errors = process.communicate()
    seconds = time.perf_counter() - began
    memory.stop()
    if process.returncode:
        raise CommandFailed(f"{' '.join(command[:4])} … ended with status {process.returncode}:\n{errors[-2000:]}")
    return Finished(output, seconds, memory.peak_mb or None)


class _Memory(threading.Thread):
    """Watches the proportional memory of a process and its descendants."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._process = process
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(1 / _LOOKS_A_SECOND):
            held = sum(_proportional_kb(process) for process in _with_descendants(self._process))
            self.peak_mb = max(self.peak_mb, held / 1024)

    def stop(self) -> None:
        """Ends the watch."""
        self._ended.set()
        self.join()


def _with_descendants(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in _read(task).split():
            yield from _with_descendants(int(child))


def _proportional_kb(process: int) -> int:
    told = _read(Path(f"/proc/{process}/smaps_rollup"))
    return next((int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")), 0)


def _read(path: Path) -> str:
    """What stands there; nothing when the process has gone meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""
