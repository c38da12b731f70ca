"""Programs that a test starts, kills on purpose, and surely ends."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAST_LINES = 5


class Died(Exception):
    """A program ended, or was not ready in time; the message ends with the last it said."""


@dataclass(slots=True)
class Program:
    """One program in a session of its own: how to start it, and, once started, its process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(kw_only=True)
    "Where it runs, and says what it says: in NAME.log."
    namespace: str | None = None
    health: str | None = None
    "An address that answers OK once the program is ready."
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, or start it again."""
        enter = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        # Tests are killed too, by a timeout or an impatient developer: what they started goes with them.
        leash = ["setpriv", "--pdeathsig", "KILL", "--"]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*enter, *leash, *self.command], cwd=self.folder, env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all its processes: no farewell, as when a machine is lost."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 5) -> None:
        """SIGTERM, and SIGKILL to what is still there after that many seconds."""
        if self.running and self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.kill()

    def wait_until_ready(self, deadline: float) -> None:
        """Until `health` says OK; Died if it ends before, or at `deadline` (of `time.monotonic`)."""
        while not (self.health is None or says_ok(self.health)):
            if not self.running:
                raise Died(f"{self.name} ended with {self.process and self.process.returncode}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise Died(f"{self.name} was not ready in time: {self.last_words()}")
            time.sleep(0.1)

    def last_line(self) -> str:
        """What it said last."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")[:400]

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"the end of {self.log}:", *lines[-LAST_LINES:]])


def says_ok(address: str) -> bool:
    """Whether a health address answers 200 within a second."""
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens at, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Whether the condition came true within that time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return met
