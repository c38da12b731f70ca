"""How a target is fuzzed: inputs are made, tried within bounds of time and memory, and what fails is kept.

Two engines make inputs. Atheris (libFuzzer), where it is installed, keeps what reaches new code; the other one mutates
seeds at random, and needs nothing. With the same seed either makes the same inputs again.
"""

import atexit
import hashlib
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "data" / "fuzz"
"""What found something once, or reaches what little else does: a folder for each target."""

# Of processor time, which other processes on the machine do not use up; a collection of garbage may fall into it.
_SECONDS_FOR_BYTES = 1.0 / 100_000
_TOLD_EVERY_SECONDS = 1.0
_MOST_MUTATIONS = 6
_LONGEST_TOLD = 200
# Nothing, no end, no number; half of a surrogate pair; text that runs the other way.
_TROUBLE = (b"\0", b"9" * 30, b"-1", b"1e999", b"\xed\xa0\x80", b"\xe2\x80\xae", b" ", b"\n")


class TooSlow(BaseException):
    """An input took more processor time than its target may; no `except Exception` on the way keeps it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is fuzzed: `attempt` raises for whatever should not be.

    `seeds` are inputs to begin with, `words` what inputs are made of. No input is longer than `longest` bytes, and
    each may take `seconds` of processor time, a second more for each 100 KB, and `growth` bytes of memory.
    """

    name: str
    attempt: Callable[[bytes], None]
    seeds: Sequence[bytes] | Callable[[], Sequence[bytes]]
    words: Sequence[bytes] = ()
    longest: int = 4_000
    seconds: float = 1.0
    growth: int = 512 * 2**20

    def corpus(self) -> list[bytes]:
        """The seeds, and what is kept of earlier runs."""
        folder = KEPT / self.name
        seeds = self.seeds() if callable(self.seeds) else self.seeds
        return [*seeds, *(path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file())]


@dataclass(slots=True)
class Failure:
    """An input that did what none should, and what that was."""

    what: str
    where: str
    input: str
    times: int = 1
    length: int = 0


@dataclass(slots=True)
class Record:
    """What came of a target; `path` is where it is written while it goes on, so that a crash loses nothing."""

    target: str
    folder: Path
    executions: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    slowest: str = ""
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file with what came of it so far."""
        return self.folder / f"{self.target}.json"

    @property
    def current(self) -> Path:
        """The input that is being tried."""
        return self.folder / f"{self.target}.current"

    def write(self) -> None:
        """Writes what came of it so far."""
        self.path.write_text(json.dumps({**asdict(self), "folder": str(self.folder)}))

    def failed(self, data: bytes, error: BaseException) -> None:
        """Keeps an input that failed, the shortest one of each kind."""
        where = _place_of(error)
        known = self.failures.get(f"{type(error).__name__} {where}")
        if known and known.length <= len(data):
            known.times += 1
            return
        name = f"{self.target}-{hashlib.sha256(where.encode()).hexdigest()[:8]}-{type(error).__name__}"
        (self.folder / name).write_bytes(data)
        what = "".join(traceback.format_exception_only(error)).strip()[-_LONGEST_TOLD:]
        times = known.times + 1 if known else 1
        self.failures[f"{type(error).__name__} {where}"] = Failure(what, where, name, times, len(data))
        self.write()


def _place_of(error: BaseException) -> str:
    """Where in the project something was raised, and by which line of a library or a harness, if not by itself."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename]
    product = [frame for frame in own if "tests" not in Path(frame.filename).parts]
    if isinstance(error, TooSlow):
        return Path(product[0].filename).name if product else "harness"
    frame = (product or own or frames)[-1] if frames else None
    return f"{Path(frame.filename).name}:{frame.lineno}" if frame else "nowhere"


class Trial:
    """Tries one input after the other and notes what came of each."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.record = target, Record(target.name, folder)
        self._began = self._told = time.monotonic()
        self._file = self.record.current.open("wb", buffering=0)

    def __call__(self, data: bytes) -> None:
        """Tries an input; never raises."""
        data = bytes(data[: self.target.longest])
        self._file.seek(0)
        self._file.write(len(data).to_bytes(4, "little") + data)
        allowed = self.target.seconds + len(data) * _SECONDS_FOR_BYTES
        try:
            took = _timed(self.target, data, allowed)
            if took > allowed:
                took = min(took, _timed(self.target, data, allowed))  # it may have paid for others' garbage
            if took > allowed:
                raise TooSlow(f"{took:.1f} s of processor time")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.record.failed(data, error)
            took = allowed if isinstance(error, TooSlow) else 0.0
        self._note(data, took)

    def close(self) -> Record:
        """The record, with everything in it."""
        self._file.close()
        self.record.current.unlink(missing_ok=True)
        self.record.seconds = time.monotonic() - self._began
        self.record.write()
        return self.record

    def _note(self, data: bytes, took: float) -> None:
        record = self.record
        record.executions += 1
        if took > record.slowest_seconds:
            record.slowest_seconds, record.slowest = took, f"{record.target}.slowest"
            (record.folder / record.slowest).write_bytes(data)
        now = time.monotonic()
        if now - self._told > _TOLD_EVERY_SECONDS:
            self._told, record.seconds = now, now - self._began
            record.write()


def _timed(target: Target, data: bytes, allowed: float) -> float:
    """Processor seconds that an attempt takes. Raises what it raises, TooSlow and MemoryError."""
    held, began = _peak(), time.process_time()
    with _at_most(4 * allowed):
        target.attempt(data)
    if _peak() - held > target.growth:
        raise MemoryError(f"grew by {(_peak() - held) >> 20} MiB")
    return time.process_time() - began


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises TooSlow in what Python runs for longer; code of libraries is not interrupted."""

    def stop(*_: object) -> None:
        raise TooSlow(f"still not done after {seconds:.1f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _peak() -> int:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop: after so many inputs or seconds, whatever comes first; None is no bound."""

    executions: int | None
    seconds: float | None


def mutate(trial: Trial, until: Until, seed: int) -> None:
    """Tries every seed, then mutations of them made at random."""
    source, corpus = random.Random(seed), trial.target.corpus()
    began = time.monotonic()
    for number, data in enumerate(_inputs(source, corpus, trial.target)):
        if until.executions is not None and number >= until.executions:
            return
        if until.seconds is not None and time.monotonic() - began > until.seconds:
            return
        trial(data)


def _inputs(source: random.Random, corpus: Sequence[bytes], target: Target) -> Iterator[bytes]:
    yield from corpus
    while True:
        data = bytearray(source.choice(corpus))
        for _ in range(source.randint(1, _MOST_MUTATIONS)):
            _mutation(source, data, corpus, target)
        yield bytes(data[: target.longest])


def _mutation(source: random.Random, data: bytearray, corpus: Sequence[bytes], target: Target) -> None:
    at = source.randint(0, len(data))
    end = min(len(data), at + source.randint(0, 12))
    match source.randrange(8):
        case 0:
            data[at:end] = b""
        case 1:
            data[at:at] = source.randbytes(source.randint(1, 4))
        case 2:
            data[at:end] = data[at:end] * source.choice((2, 3, 50))
        case 3:
            other = source.choice(corpus)
            data[at:end] = other[source.randint(0, len(other)) :][: source.randint(1, 200)]
        case 4 if data:
            data[min(at, len(data) - 1)] ^= 1 << source.randrange(8)
        case 5:
            data[at:at] = source.choice(_TROUBLE)
        case _ if target.words:
            data[at : source.choice((at, end))] = source.choice(target.words)


def guided(trial: Trial, until: Until, seed: int, folder: Path) -> None:
    """Hands the process over to Atheris, which ends it. New inputs that reach more are kept below `folder`."""
    import atheris

    corpus = folder / f"{trial.target.name}.corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(trial.target.corpus()):
        (corpus / f"seed-{number:04}").write_bytes(data[: trial.target.longest])
    words = folder / f"{trial.target.name}.words"
    atexit.register(trial.close)
    options = [
        f"-seed={seed % 2**31 or 1}", f"-max_len={trial.target.longest}", "-len_control=10",
        f"-artifact_prefix={folder / trial.target.name}-crash-", "-rss_limit_mb=4096", "-timeout=120",
    ]  # fmt: skip
    if trial.target.words:  # a dictionary without words is refused
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in trial.target.words))
        options += [f"-dict={words}"]
    options += [f"-runs={until.executions}"] if until.executions is not None else []
    options += [f"-max_total_time={round(until.seconds)}"] if until.seconds is not None else []
    atheris.Setup(["fuzz", *options, str(corpus)], trial)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


@cache
def scratch() -> Path:
    """A folder for the files of this process, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="dateline-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def text_of(data: bytes) -> str:
    """An input as text; what is no UTF-8 in it becomes surrogates, as file names do."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def words_of(*texts: str) -> tuple[bytes, ...]:
    """What inputs of a target are made of, from texts in which they stand between spaces."""
    return tuple(dict.fromkeys(word.encode() for text in texts for word in text.split(" ") if word))


def encoded(texts: Iterable[str]) -> tuple[bytes, ...]:
    """Texts as inputs."""
    return tuple(text.encode("utf-8", "surrogatepass") for text in texts)
