"""The programs of a real Milvus: from PyPI, in an environment of their own, made on first use.

PyPI's `milvus` carries the server itself. Its release is old and so are the pins of its Python wrapper, which
is why it never enters the project's environment: only its programs are used.
"""

import fcntl
import lzma
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = "milvus==2.3.5"  # the newest on PyPI that holds the server and not a client
KAFKA = "confluent-kafka>=2.5,<3"  # its librdkafka has a mock broker
INSTALLATION_SECONDS = 300
FOLDER = "DATELINE_MILVUS_ENVIRONMENT"


class Unavailable(Exception):
    """A real server can't run here; the message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The folder that holds `python`, the server's `programs` and the `template` of its configuration."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def milvus(self) -> Path:
        return self.programs / "milvus"

    @property
    def template(self) -> Path:
        return self.folder / "milvus.yaml.template"

    @property
    def complete(self) -> Path:
        """A file that is there once everything else is."""
        return self.folder / "complete"


def environment() -> Environment:
    """What $DATELINE_MILVUS_ENVIRONMENT names, or a folder in the cache, made now if it is not yet there."""
    if (system := (platform.system(), platform.machine())) != ("Linux", "x86_64"):
        raise Unavailable(f"PyPI has the Milvus server for Linux on x86_64 only; this is {' on '.join(system)}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    default = cache / "dateline" / "tests" / SERVER.replace("==", "-")
    made = Environment(Path(os.environ.get(FOLDER) or default).absolute())
    if not made.complete.exists():
        with _alone(made.folder):
            if not made.complete.exists():
                _make(made)
    return made


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Several test processes may want the environment at once: one makes it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(made: Environment) -> None:
    venv = made.folder / "venv"
    _run("make an environment", sys.executable, "-m", "venv", "--clear", str(venv))
    _run(f"install {SERVER}", str(made.python), "-m", "pip", "install", "--quiet", SERVER, KAFKA)
    (data,) = venv.glob("lib/python*/site-packages/milvus/data")
    made.programs.mkdir(exist_ok=True)
    for packed in (data / "bin").glob("*.lzma"):
        program = made.programs / packed.stem
        with lzma.open(packed) as source, program.open("wb") as target:
            shutil.copyfileobj(source, target)
        program.chmod(0o755)
    shutil.copy(data / "config.yaml.template", made.template)
    shutil.copy(data / "glog.conf", made.folder / "glog.conf")
    made.complete.touch()


def _run(what: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLATION_SECONDS)
    except subprocess.TimeoutExpired as silent:
        raise Unavailable(f"could not {what} within {INSTALLATION_SECONDS} s") from silent
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise Unavailable(f"could not {what}: {said}")
