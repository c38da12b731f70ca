"""Reading and embedding on a cluster: how work is cut, given out and given out again, and the index that comes of it.

What needs Ray starts two nodes on this machine and is skipped where Ray is not installed.
"""

import importlib.util
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.article import Receipt, SetAside
from index.build import Intake, add, rebuild
from index.catalog import Catalog
from index.distributed.cluster import _Host, connected, versions
from index.distributed.crew import _MOST_LOSSES, Crew, WorkerLost
from index.distributed.embedding import DistributedEncoder, batches_by_length, loaded_original, pieces
from index.distributed.reading import groups, read_on
from index.encoder import load_encoder
from index.errors import ClusterError, DatelineError, ModelError, UsageError
from index.generation import live_generation, other_generations
from index.reading.documents import Document
from index.reading.fields import GUESSED
from index.reading.pool import read_all

PROJECT = Path(__file__).parent.parent
HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'dateline[ray]'")


class Thread:
    """A worker that is a thread of this process; `fails` says with what a task ends instead of being done."""

    def __init__(self, do: Callable[[Any], Any], fails: Callable[[Any], Exception | None] = lambda task: None) -> None:
        self.do, self.fails = do, fails
        self.done: list[Any] = []
        self.dismissed = False

    def ready(self) -> "Future[None]":
        return finished(None)

    def give(self, task: Any) -> "Future[Any]":
        result: Future[Any] = Future()
        threading.Thread(target=self._work, args=(task, result), daemon=True).start()
        return result

    def _work(self, task: Any, result: "Future[Any]") -> None:
        if error := self.fails(task):
            result.set_exception(error)
            return
        try:
            result.set_result(self.do(task))
            self.done.append(task)
        except Exception as error:
            result.set_exception(error)

    def dismiss(self) -> None:
        self.dismissed = True


def finished(value: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def crew_of(*workers: Any, size: Callable[[], int] | None = None) -> Crew[Any, Any]:
    left = list(workers)
    return Crew(lambda: left.pop(0), size or (lambda: len(workers)))


# -- cutting ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 600), max_size=60), st.integers(1, 1000), st.integers(1, 5))
def test_every_text_is_in_one_piece_the_longest_first_and_none_too_large(lengths, most, together):
    batches = batches_by_length(lengths, most)
    assert all(len(batch) == 1 or sum(lengths[number] for number in batch) <= most for batch in batches)
    handed_out = [number for piece in pieces(batches, together) for number in piece]
    assert sorted(handed_out) == list(range(len(lengths)))
    assert [lengths[number] for number in handed_out] == sorted(lengths, reverse=True)
    assert len(pieces(batches, together)) == -(-len(batches) // together)


@given(st.lists(st.integers(0, 3 * 2**19) | st.none(), max_size=60))
def test_groups_of_documents_keep_order_and_bounds(sizes):
    sources = [
        SetAside(str(number), "gone") if size is None else Document(str(number), "text", bytes(size), size)
        for number, size in enumerate(sizes)
    ]
    cut = list(groups(sources))
    assert [document for group in cut for document in group] == sources
    for group in cut:
        held = [len(document.data) for document in group if isinstance(document, Document)]
        assert len(group) <= 32
        assert sum(held) <= 2**20 or len(held) == 1


# -- giving out -------------------------------------------------------------------------------------------------


def test_no_worker_is_started_before_there_is_work():
    with crew_of() as crew:
        assert crew.members_ready == 0


def test_all_workers_share_the_work():
    workers = [Thread(lambda task: time.sleep(0.01) or -task) for _ in range(3)]
    with crew_of(*workers) as crew:
        results = [crew.submit(task) for task in range(60)]
        assert [result.result(10) for result in results] == [-task for task in range(60)]
        assert crew.members_ready == 3
    assert all(len(worker.done) > 5 and worker.dismissed for worker in workers)


def test_what_a_lost_worker_had_is_done_by_others():
    dead = threading.Event()
    lost = Thread(str, lambda task: dead.wait(5) and WorkerLost("gone"))
    with crew_of(lost, Thread(str), size=lambda: 2 - dead.is_set()) as crew:
        results = [crew.submit(task) for task in range(20)]
        time.sleep(0.1)
        dead.set()
        assert [result.result(10) for result in results] == list(map(str, range(20)))
    assert not lost.done


def test_workers_that_join_are_used(monkeypatch):
    monkeypatch.setattr("index.distributed.crew._SECONDS_TO_LOOK", 0.05)
    slow, joining = Thread(lambda task: time.sleep(0.1)), Thread(str)
    sizes = iter([1, 1])
    with crew_of(slow, joining, size=lambda: next(sizes, 2)) as crew:
        for result in [crew.submit(task) for task in range(30)]:
            result.result(10)
    assert len(slow.done) < len(joining.done)


def test_work_that_ends_its_workers_is_given_up_and_named_as_the_cause():
    workers = [Thread(str, lambda task: WorkerLost("out of memory")) for _ in range(_MOST_LOSSES)]
    with crew_of(*workers, size=lambda: 1) as crew, pytest.raises(ClusterError, match="5 workers were lost over"):
        crew.submit("a").result(10)


def test_error_of_a_task_is_the_errors_of_its_result_and_the_others_go_on():
    with crew_of(Thread(lambda task: 6 // task)) as crew:
        results = [crew.submit(task) for task in (3, 0, 2)]
        assert (results[0].result(10), results[2].result(10)) == (2, 3)
        assert isinstance(results[1].exception(10), ZeroDivisionError)


def test_worker_that_no_worker_could_be_ends_the_run():
    refusing = Thread(str)
    refusing.ready = lambda: failed(ModelError("There is no model here."))
    with crew_of(refusing, size=lambda: 1) as crew:
        results = [crew.submit(task) for task in range(3)]
        for result in results:
            with pytest.raises(ModelError, match="There is no model here"):
                result.result(10)
        with pytest.raises(ModelError):
            crew.submit("late").result(10)


@pytest.mark.parametrize("fails", ["no room", "no answer"])
def test_cluster_without_workers_is_given_up(monkeypatch, fails):
    monkeypatch.setattr("index.distributed.crew._SECONDS_TO_LOOK", 0.05)
    monkeypatch.setattr("index.distributed.crew._SECONDS_WITHOUT_WORKERS", 0.3)

    def size() -> int:
        if fails == "no answer":
            raise ConnectionError("the channel is closed")
        return 0

    expected = "has had no worker for 0 s" if fails == "no room" else "was lost: the channel is closed. The next run"
    with crew_of(size=size) as crew, pytest.raises(ClusterError, match=expected):
        crew.submit("a").result(10)


def test_what_is_not_done_when_the_run_ends_fails():
    with crew_of(Thread(lambda task: time.sleep(60))) as crew:
        result = crew.submit("a")
        time.sleep(0.1)
    with pytest.raises(ClusterError):
        result.result(1)


# -- reading and embedding, with workers that are threads ---------------------------------------------------------


def read_here(documents: Sequence[Any]) -> list[Any]:
    return list(read_all(documents, 0))


class Threads:
    """A workforce of threads, one of which is lost in its first task."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def read(self, documents, fields):
        with Crew(self._start(read_here), lambda: 2) as crew:
            yield from read_on(crew, documents)

    def encoder(self, identity, load):
        def hire(make, *parts):
            embed = make(*parts)
            return Crew(self._start(lambda texts: self.sent.extend(texts) or embed(texts)), lambda: 2)

        return DistributedEncoder(identity, load, hire)

    def _start(self, do: Callable[[Any], Any]) -> Callable[[], Thread]:
        lost = iter([WorkerLost("gone")])
        return lambda: Thread(do, lambda task: next(lost, None))


def test_documents_come_back_in_order_each_with_its_weight_and_what_is_none_in_its_place():
    found: list[Any] = [Document(f"{number}", "text", b"Some words.", 11) for number in range(100)]
    found[40:40] = [Receipt("https://a.example/feed"), SetAside("b", "gone")]
    found.append(Document("torn", "json", b"{", 1))
    assert list(Threads().read(found, GUESSED)) == list(read_all(found, 0))


def test_reading_what_is_no_document_starts_no_worker():
    aside = [SetAside("b", "gone")] * 3
    with crew_of() as crew:
        assert [item.content for item in read_on(crew, aside)] == aside


def test_embedding_keeps_the_order_of_texts(encoder):
    texts = [" ".join(["word"] * (number % 7 * 40) + [str(number)]) for number in range(200)]
    distributed = Threads().encoder(encoder.identity, lambda: encoder)
    assert np.array_equal(distributed.encode_passages(texts), FakeEncoder().encode_passages(texts))
    assert distributed.encode_passages([]).shape == (0, encoder.identity.dimension)


def test_no_model_is_loaded_for_nothing(encoder):
    def load() -> FakeEncoder:
        raise ModelError("loaded")

    distributed = Threads().encoder(encoder.identity, load)
    assert len(distributed.encode_passages([])) == 0
    with pytest.raises(ModelError, match="loaded"):
        distributed.encode_passages(["a"])


def test_an_export_embeds_elsewhere_to_the_bit_what_it_embeds_here():
    encoder = load_encoder(many=True)
    texts = [article["title"] + "\n" + article["text"] for article in made_up(60)]
    distributed = Threads().encoder(encoder.identity, lambda: encoder)
    assert np.array_equal(distributed.encode_passages(texts), encoder.encode_passages(texts))


def test_original_that_is_another_model_elsewhere_is_refused(monkeypatch, encoder):
    monkeypatch.setattr("index.distributed.embedding.load_encoder", lambda name, kind: encoder)
    assert loaded_original(encoder.identity)(["a"]).shape == (1, encoder.identity.dimension)
    with pytest.raises(ClusterError, match=r"The model 'fake' on .* is another than the one here"):
        loaded_original(replace(encoder.identity, weight_hash="1"))


def contents(root: Path) -> tuple[Any, ...]:
    """All that is in an index but passage numbers, which begin at a random place."""
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        articles = {article.id: article for article in catalog.all_articles()}
        run = catalog._connection.execute
        passages = run(
            "SELECT id, start, end, embedding FROM passages JOIN articles ON article = articles.number"
        ).fetchall()
        stories = run("SELECT a.id, b.id FROM articles a JOIN articles b ON a.story = b.number").fetchall()
        vectors = run("SELECT embedding, vector FROM vectors").fetchall()
        return articles, sorted(passages), sorted(stories), sorted(vectors), catalog.journal.documents_set_aside()


@pytest.mark.parametrize("batch", [1, 300, 900_000])
def test_the_index_is_the_one_that_one_machine_makes(tmp_path, monkeypatch, load, batch):
    monkeypatch.setattr("index.ingest._BATCH_CHARACTERS", batch)
    # A new version of an article, a copy and a text twice, in batches that are begun before the others are stored.
    ferry, strike, *_ = ARTICLES
    more = [
        {**ferry, "text": ferry["text"] + "\n\nThe ferry was towed to the harbour at noon."},
        {**strike, "id": "copy"},
    ]
    source = write_jsonl(tmp_path / "all.jsonl", [*ARTICLES, *more, {"id": "torn", "text": ""}, *made_up(30)])
    for run in range(2):
        alone, workforce = FakeEncoder(), Threads()
        one = rebuild(tmp_path / "one", [str(source)], lambda name, it=alone: it)
        many = rebuild(tmp_path / "many", [str(source)], load, intake=Intake(elsewhere=workforce))
        assert contents(tmp_path / "many") == contents(tmp_path / "one")
        assert (many.articles, many.passages, many.reused_passages) == (36, one.passages, one.reused_passages)
        assert set(workforce.sent) == set(alone.encoded), run  # twice what the lost worker had


def test_add_embeds_elsewhere_what_is_new_and_loads_no_model_for_the_rest(root, corpus, load, encoder):
    encoder.encoded.clear()
    workforce = Threads()
    add(root, [str(corpus)], lambda name: pytest.fail("loaded"), intake=Intake(elsewhere=workforce))
    assert workforce.sent == []
    whale = write_jsonl(corpus.parent / "whale.jsonl", [{"id": "whale", "title": "Whale", "text": "A whale came."}])
    add(root, [str(whale)], load, intake=Intake(elsewhere=workforce))
    assert workforce.sent == ["Whale\nA whale came."]


# -- addresses and versions ---------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.parametrize("address", ["", "somewhere", "http://a.example", "ray://", "ray://a:b", "127.0.0.1:6379"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match=r"is no Ray cluster. Give --on ray://HOST:10001"), connected(address):
        pass


def test_cluster_that_nobody_answers_for_is_one_line(tmp_path):
    source = write_jsonl(tmp_path / "a.jsonl", ARTICLES)
    done = dateline("rebuild", str(source), "--index", str(tmp_path / "i"), "--on", f"ray://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Nobody answers at ray://127.0.0.1:" in done.stderr
    assert not live_index(tmp_path / "i")


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_extra_is_named():
    with pytest.raises(ClusterError, match=r"pip install 'dateline\[ray\]'"), connected("auto"):
        pass


def test_node_with_another_version_is_refused_before_anything_is_loaded():
    wanted = versions() | {"dateline": "9.9"}
    with pytest.raises(ClusterError, match=r"has dateline [\d.]+ instead of 9\.9\. Install there"):
        _Host().begin(wanted, pytest.fail)


# -- two nodes ----------------------------------------------------------------------------------------------------


def dateline(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=PROJECT, timeout=600, env=ENVIRONMENT
    )


# Small batches, so that little is much.
PROGRAM = "import index.ingest as i; i._BATCH_CHARACTERS = 60_000; from web.cli import main; main()"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that runs, and is ended in any case."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=ENVIRONMENT
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def live_index(root: Path) -> bool:
    return (root / "CURRENT").exists()


def made_up(articles: int, paragraphs: int = 2) -> list[dict[str, Any]]:
    """Articles of made-up words."""
    chance = random.Random(articles)
    words = ["".join(chance.choices("aeioumnrstl", k=chance.randint(3, 9))) for _ in range(2_000)]
    return [
        {"id": f"made-up-{number}", "title": " ".join(chance.choices(words, k=6)), "published": "2025-03-01",
         "text": "\n\n".join(" ".join(chance.choices(words, k=chance.randint(20, 140))) for _ in range(paragraphs))}
        for number in range(articles)
    ]  # fmt: skip


# The nodes answer nobody without a token.
ENVIRONMENT = {
    **os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2,
    "PYTHONPATH": str(PROJECT),
}  # fmt: skip


class Nodes:
    """A cluster of two nodes with one CPU each, whose processes are in groups of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.client_port = free_port(), free_port()
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.start("--head", f"--port={self.port}", f"--ray-client-server-port={self.client_port}",
                   "--include-dashboard=false", f"--temp-dir={folder}")  # fmt: skip
        self.wait(self._listens)
        self.join()

    @property
    def address(self) -> str:
        return f"ray://127.0.0.1:{self.client_port}"

    def start(self, *options: str) -> None:
        ray = Path(sys.executable).parent / "ray"
        with (self.folder / f"node-{len(self.nodes)}.log").open("wb") as log:
            started = subprocess.Popen(
                [ray, "start", "--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000",
                 "--disable-usage-stats", "--block", *options],
                stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True,
            )  # fmt: skip
        self.nodes.append(started)

    def join(self) -> None:
        self.start(f"--address=127.0.0.1:{self.port}")

    def kill(self, number: int) -> None:
        """SIGKILL to everything that a node runs."""
        for process in self.processes(number):
            os.kill(process, signal.SIGKILL)
        self.nodes[number].wait()

    def processes(self, number: int, *, named: str = "") -> list[int]:
        """What a node runs, the children before their parents."""
        found: list[int] = []
        for process in [self.nodes[number].pid]:
            found += self._with_children(process, named)
        return found

    def _with_children(self, process: int, named: str) -> list[int]:
        found = []
        try:
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                for child in children.read_text().split():
                    found += self._with_children(int(child), named)
            if named in Path(f"/proc/{process}/cmdline").read_text():
                found.append(process)
        except OSError:  # it has ended
            pass
        return found

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.client_port)) == 0

    @staticmethod
    def wait(until: Callable[[], Any], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.1)

    def stop(self) -> None:
        for number in reversed(range(len(self.nodes))):
            self.kill(number)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    # Ray's sockets stand in this folder, and their names may not be long.
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        running = Nodes(Path(folder))
        yield running
        running.stop()


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("articles")
    write_jsonl(folder / "all.jsonl", [*made_up(250), {"id": "torn", "text": ""}])
    (folder / "page.html").write_text("<html><title>No story</title><body>Menu</body></html>")
    return folder


@pytest.fixture(scope="module")
def expected(articles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What one machine makes of the articles."""
    root = tmp_path_factory.mktemp("expected") / "index"
    done = dateline("rebuild", str(articles), "--index", str(root), "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    return contents(root)


@needs_ray
def test_two_nodes_make_the_index_that_one_machine_makes_and_embed_nothing_twice(nodes, articles, expected, tmp_path):
    root = tmp_path / "index"
    done = dateline("rebuild", str(articles), "--index", str(root), "--on", nodes.address, "--quiet", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["reused_passages"] == 0
    assert contents(root) == expected  # vectors to the bit
    again = dateline("rebuild", str(articles), "--index", str(root), "--on", nodes.address, "--quiet", "--json")
    report = json.loads(again.stdout)
    assert report["reused_passages"] == report["passages"] == len(expected[1])
    assert contents(root) == expected


@needs_ray
def test_node_that_is_killed_in_mid_work_costs_nothing_but_time(nodes, articles, expected, tmp_path):
    root = tmp_path / "index"
    with started("rebuild", str(articles), "--index", str(root), "--on", nodes.address, "--quiet") as running:
        nodes.wait(lambda: nodes.processes(1, named="ray::_Host.work") or running.poll() is not None)
        time.sleep(1)
        assert running.poll() is None
        nodes.kill(1)
        _, errors = running.communicate(timeout=400)
    assert (running.returncode, errors) == (0, "")
    assert contents(root) == expected
    nodes.nodes.pop()


@needs_ray
def test_lost_cluster_is_one_line_and_the_next_run_takes_over_what_was_stored(nodes, articles, expected, tmp_path):
    """The last test of this cluster."""
    root = tmp_path / "index"
    with started("rebuild", str(articles), "--index", str(root), "--on", nodes.address, "--quiet") as running:
        nodes.wait(lambda: embedded(root) or running.poll() is not None)
        assert running.poll() is None
        nodes.kill(0)
        _, errors = running.communicate(timeout=400)
    assert (running.returncode, errors.count("\n")) == (1, 1), errors
    assert errors.endswith("The next run takes over what was stored.\n")
    done = dateline("rebuild", str(articles), "--index", str(root), "--quiet", "--json")
    assert json.loads(done.stdout)["reused_passages"] > 0
    assert [articles.keys() for articles in contents(root)[:1]] == [expected[0].keys()]


def embedded(root: Path) -> int:
    """How many vectors an unfinished rebuild has stored."""
    for layout in other_generations(root) if root.exists() else []:
        with suppress(DatelineError), closing(Catalog.snapshot(layout.catalog)) as catalog:  # just being made
            return int(catalog._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
    return 0
