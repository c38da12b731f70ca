"""What the faults happen to: a cluster, a writer with its index, and everybody who searches."""

import contextlib
import json
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.asking import Ask, Refused
from cluster.corpus import Question, write
from cluster.ledger import NOTHING, in_catalog, is_whole, on_server, shown
from cluster.milvus_cluster import Milvus
from cluster.processes import Program, free_ports, wait_for
from index.errors import DatelineError
from index.place import place_of
from web.live import LiveEngine

ALIAS = "news"
ARTICLES_AT_FIRST = 300
ARTICLES_A_TIME = 120
HITS = 10
REPLICAS = 2
WRITER_SECONDS = 180
HTTP_SECONDS = 60
"Longer than any deadline of ours: what takes longer has hung."
READY_SECONDS = 60
SETTLED_SECONDS = 60
WHOLE_SECONDS = 180


@dataclass(slots=True)
class Writer:
    """The one index folder with the catalog, and the commands that write to it and publish."""

    folder: Path
    store: str
    written: int = 0
    latest: Path = Path()
    program: Program | None = None
    commands: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "index"

    def begin(self, command: str, articles: int = 0) -> Program:
        """Start `rebuild` or `add` with so many more articles; without any, with the same ones as before."""
        source, first = self.folder / "articles", self.written
        source.mkdir(parents=True, exist_ok=True)
        if articles:
            self.latest = write(source / f"{first}.jsonl", first, articles)
            self.written += articles
        return self.run(command, str(source if command == "rebuild" else self.latest))

    def run(self, command: str, *arguments: str) -> Program:
        """Start a command of `dateline` on this index and its store."""
        self.commands += 1
        self.program = Program(
            f"writer-{self.commands}-{command}",
            [sys.executable, "-P", "-m", "web", command, *arguments, "--index", str(self.root), "--store", self.store],
            folder=self.folder,
        )
        self.program.start()
        return self.program

    def kill(self) -> None:
        """SIGKILL to the command that runs, if one does."""
        if self.program is not None:
            self.program.kill()

    def finish(self, program: Program) -> str:
        """Wait for a command; what it said last if it failed, "" if not."""
        if not wait_for(lambda: not program.running, WRITER_SECONDS):
            program.kill()
            return f"hung for {WRITER_SECONDS} s"
        assert program.process is not None
        if not program.process.returncode:
            return ""
        if program.process.returncode == -signal.SIGKILL:
            return "killed"
        return f"exit {program.process.returncode}: {program.last_line()}"


class Reader:
    """The engine of a server, in this process: it follows what is published."""

    def __init__(self, store: str, folder: Path) -> None:
        self._live = LiveEngine(place_of(folder / "no-index", store)).start(wait=READY_SECONDS)

    def ask(self, text: str) -> list[str]:
        try:
            return [hit.article.id for hit in self._live.engine().search(text, size=HITS).hits]
        except DatelineError as reason:
            raise Refused(f"{type(reason).__name__}: {reason}") from reason

    def close(self) -> None:
        self._live.stop()


@dataclass(slots=True)
class Replica:
    """A `dateline serve --store` that has nothing but the address of the store."""

    program: Program
    address: str

    @classmethod
    def of(cls, store: str, folder: Path) -> "Replica":
        (port,) = free_ports(1)
        address = f"http://127.0.0.1:{port}"
        command = [
            sys.executable, "-P", "-m", "web", "serve", "--store", store, "--port", str(port), "--workers", "1",
            "--threads", "2", "--cache", "0",
        ]  # fmt: skip
        return cls(Program("replica", command, folder=folder, health=f"{address}/readyz"), address)

    def ask(self, text: str) -> list[str]:
        url = f"{self.address}/api/v1/search?{urllib.parse.urlencode({'q': text, 'size': HITS})}"
        try:
            with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
                return [hit["article"]["id"] for hit in json.load(answer)["results"]]
        except urllib.error.HTTPError as error:
            told = error.read().decode(errors="replace")
            if error.code in (503, 504):
                raise Refused(f"HTTP {error.code}: {told[:300]}") from error
            raise RuntimeError(f"HTTP {error.code}: {told[:300]}") from error


@dataclass(slots=True)
class Scene:
    """Everything together; what is asked, and what a right answer is."""

    milvus: Milvus
    writer: Writer
    ways: Mapping[str, Ask]
    questions: list[Question]
    usual: dict[str, list[str]] = field(default_factory=dict)

    def judge(self, asked: Question, found: Sequence[str]) -> str | None:
        """The one article that answers stands first, and the page is as full as in calm."""
        if len(found) < len(self.usual[asked.text]):
            return f"only {len(found)} hits, {len(self.usual[asked.text])} in calm"
        return None if found[0] == asked.answer else f"{found[0]} first, not {asked.answer}"

    def learn(self) -> None:
        """What each question gets in calm, the same by every way to ask, which the faults are held against."""
        for asked in self.questions:
            answers = {name: list(way(asked.text)) for name, way in self.ways.items()}
            assert len(set(map(tuple, answers.values()))) == 1, f"{asked.text}: not one answer but {answers}"
            self.usual[asked.text] = next(iter(answers.values()))
            assert self.judge(asked, self.usual[asked.text]) is None, f"{asked.text}: {self.usual[asked.text]}"

    def missing(self) -> str:
        """What the catalog has acknowledged and the server has not, even after a while; and the other way round."""
        catalog, server = in_catalog(self.writer.root), NOTHING
        until = time.monotonic() + SETTLED_SECONDS
        while server != catalog and time.monotonic() < until:
            time.sleep(1)
            with contextlib.suppress(Exception):  # what does not answer yet is asked again
                server = on_server(self.milvus.addresses[0], ALIAS)
        if lost := server.lacks(catalog):
            return f"lost: {lost}"
        over = catalog.lacks(server)
        return f"left over: {over}" if over else ""

    def wait_until_whole(self) -> float | None:
        """Until Milvus itself has all of its replicas whole again; the seconds that took, None if too long."""
        begun, passages = time.monotonic(), len(in_catalog(self.writer.root).passages)
        whole = wait_for(lambda: is_whole(self.milvus.addresses, ALIAS, passages, REPLICAS), WHOLE_SECONDS, pause=1)
        return round(time.monotonic() - begun, 1) if whole else None

    def wait_until_written(self, program: Program) -> None:
        """Until the server shows the first of what the writer brings: it is in mid-publish."""
        host = self.milvus.addresses[-1]
        collections, rows = shown(host)

        def begun() -> bool:
            now = shown(host)
            return now[0] > collections or now[1] > rows or not program.running

        assert wait_for(begun, WRITER_SECONDS), "nothing was published"
