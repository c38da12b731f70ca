"""What happens when parts of a cluster are killed in mid-work: searches are asked all the while, and articles counted.

    python tests/cluster/faults.py --at FOLDER [--only NAME …] [--json FILE]

prints a table. A wrong answer is one without the article that was asked for in the first place, or with fewer hits
than in calm; "refused" is an error that says why. What is acknowledged is what the catalog has committed.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

if __name__ == "__main__":  # a command, too
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from cluster.asking import Asking, Tally
from cluster.corpus import question
from cluster.ledger import in_catalog
from cluster.milvus_cluster import SESSION_SECONDS, cluster
from cluster.processes import wait_for
from cluster.scene import (
    ALIAS,
    ARTICLES_A_TIME,
    ARTICLES_AT_FIRST,
    READY_SECONDS,
    REPLICAS,
    Reader,
    Replica,
    Scene,
    Writer,
)

ASKED = range(0, ARTICLES_AT_FIRST, 17)
RIGHT_SECONDS = 12
"""A query node that comes back answers without its files from the fourth second to the eleventh, if one lets it."""
WORDS = ("fault", "writer", "lacking on the server")
"Columns that hold no figures."
RIGHT_AGAIN_SECONDS = 120
ONE_BACK_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a cluster. `lasts` is how many seconds pass before it is mended.

    `writing` is the command that runs meanwhile, and is struck once the first rows are acknowledged.
    """

    name: str
    strike: Callable[[Scene], None]
    mend: Callable[[Scene], None] = lambda scene: None
    lasts: float = 8.0
    writing: str | None = None
    needs_namespaces: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a fault."""

    fault: str
    searches: dict[str, Tally]
    right_again: float | None
    "Seconds from mending until all answers were right and stayed so."
    whole_again: float | None
    "Seconds from then until Milvus had all of its replicas whole again."
    writer: str
    "What the writer came to: empty where nobody wrote."
    acknowledged_before: int
    acknowledged_after: int
    "Articles in the catalog."
    missing: str
    "What the server lacks of the catalog afterwards, or has too much; empty if nothing."
    seconds: float = 0.0

    @property
    def together(self) -> Tally:
        return sum(self.searches.values(), Tally())

    @property
    def is_harmless(self) -> bool:
        """No wrong answer, no error without a reason, nothing lost, and all well again."""
        together = self.together
        return not (together.wrongs or together.unexplained or self.missing or self.right_again is None)


def kill(*names: str) -> Callable[[Scene], None]:
    return lambda scene: scene.milvus.kill(*names)


def restart(*names: str) -> Callable[[Scene], None]:
    return lambda scene: scene.milvus.restart(*names)


def pull_the_cable(name: str) -> Callable[[Scene], None]:
    def pull(scene: Scene) -> None:
        network, namespace = scene.milvus.network, scene.milvus.programs[name].namespace
        assert network and namespace
        network.pull_the_cable(namespace)

    return pull


def plug_in(name: str) -> Callable[[Scene], None]:
    """A role that was cut off from etcd for longer than its session ends itself; who runs a cluster starts it again."""

    def plug(scene: Scene) -> None:
        network, namespace = scene.milvus.network, scene.milvus.programs[name].namespace
        assert network and namespace
        network.plug_in(namespace)
        if wait_for(lambda: not scene.milvus.programs[name].running, 2 * SESSION_SECONDS):
            scene.milvus.restart(name)

    return plug


def kill_the_writer(scene: Scene) -> None:
    scene.writer.kill()


def one_back_then_the_other(scene: Scene) -> None:
    """With one node of two, Milvus 2.3.5 says Loaded and shows what was written since the last flush, no more."""
    scene.milvus.restart("querynode-2")
    time.sleep(ONE_BACK_SECONDS)
    scene.milvus.restart("querynode-1")


FAULTS = (
    Fault("query node killed, back after 10 s", kill("querynode-1"), restart("querynode-1"), 10),
    Fault("query node's cable pulled for 15 s", pull_the_cable("querynode-2"), plug_in("querynode-2"), 15,
          needs_namespaces=True),
    Fault("both query nodes killed, one back after 5 s, the other 15 s later", kill("querynode-1", "querynode-2"),
          one_back_then_the_other, 5),
    Fault("data node killed during add", kill("datanode"), restart("datanode"), 5, writing="add"),
    Fault("query node killed during add", kill("querynode-1"), restart("querynode-1"), 5, writing="add"),
    Fault("one of two proxies killed during add", kill("proxy-1"), restart("proxy-1"), 8, writing="add"),
    Fault("writer killed during add", kill_the_writer, lasts=2, writing="add"),
    Fault("query coordinator killed during add", kill("querycoord"), restart("querycoord"), 5, writing="add"),
    Fault("root coordinator killed during add", kill("rootcoord"), restart("rootcoord"), 5, writing="add"),
    Fault("data coordinator killed during add", kill("datacoord"), restart("datacoord"), 5, writing="add"),
    Fault("etcd killed during add", kill("etcd"), restart("etcd"), 5, writing="add"),
    Fault("index node killed during rebuild", kill("indexnode"), restart("indexnode"), 5, writing="rebuild"),
    Fault("data node killed during rebuild", kill("datanode"), restart("datanode"), 5, writing="rebuild"),
    Fault("writer killed during rebuild", kill_the_writer, lasts=2, writing="rebuild"),
)  # fmt: skip


@contextmanager
def scene(folder: Path, *, apart: bool = True) -> Iterator[Scene]:
    """A cluster with a published index, two engines in this process and a replica that answers HTTP."""
    with ExitStack() as open_things:
        milvus = open_things.enter_context(cluster(folder / "milvus", apart))
        store = f"milvus://{milvus.hosts}/{ALIAS}?replicas={REPLICAS}"
        writer = Writer(folder, store)
        open_things.callback(writer.kill)
        # Rows of both kinds: those that lie in files, and those that so far only the message queue holds.
        for command, articles in (("rebuild", ARTICLES_AT_FIRST), ("add", ARTICLES_A_TIME)):
            if failed := writer.finish(writer.begin(command, articles)):
                raise RuntimeError(f"the first {command} failed: {failed}")
        replica = Replica.of(store, folder)
        open_things.callback(replica.program.kill)
        replica.program.start()
        replica.program.wait_until_ready(time.monotonic() + READY_SECONDS)
        readers = [open_things.enter_context(closing(Reader(store, folder))) for _ in range(2)]
        ways = {"engine": readers[0].ask, "another engine": readers[1].ask, "HTTP": replica.ask}
        set_up = Scene(milvus, writer, ways, [question(number) for number in ASKED])
        set_up.learn()
        yield set_up


def try_out(fault: Fault, on: Scene) -> Outcome:
    """Strike, wait, mend, and see whether everything is as it should be."""
    begun, before = time.monotonic(), len(in_catalog(on.writer.root).articles)
    with Asking(on.ways, on.questions, on.judge) as asking:
        time.sleep(1)
        program = on.writer.begin(fault.writing, ARTICLES_A_TIME) if fault.writing else None
        if program:
            on.wait_until_written(program)
        fault.strike(on)
        time.sleep(fault.lasts)
        fault.mend(on)
        written = on.writer.finish(program) if program else ""
        if written:  # as its user would: what failed or was killed is done again
            again = on.writer.finish(on.writer.begin(fault.writing or "add"))
            written += f"; again: {again or 'done'}"
        right_again = asking.wait_until_right(RIGHT_SECONDS, RIGHT_AGAIN_SECONDS)
        whole_again = on.wait_until_whole()
    return Outcome(
        fault.name, asking.tallies, right_again, whole_again, written or ("done" if program else ""), before,
        len(in_catalog(on.writer.root).articles), on.missing(), round(time.monotonic() - begun, 1),
    )  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes in Markdown."""
    rows = [_row(outcome) for outcome in outcomes]
    heads = list(rows[0]) if rows else []
    lines = [heads, ["---" if head in WORDS else "---:" for head in heads], *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(outcome: Outcome) -> dict[str, str]:
    searches = outcome.together
    return {
        "fault": outcome.fault,
        "searches": str(searches.asked),
        "right": str(searches.right),
        "refused, with a reason": str(sum(searches.refused.values())),
        "failed without one": str(sum(searches.unexplained.values())),
        "wrong": str(searches.wrongs),
        "slowest, s": f"{searches.slowest:.1f}",
        "all right again after, s": _seconds(outcome.right_again),
        "replicas whole after, s": _seconds(outcome.whole_again),
        "writer": outcome.writer or "–",
        "articles acknowledged, before → after": f"{outcome.acknowledged_before} → {outcome.acknowledged_after}",
        "lacking on the server": outcome.missing or "nothing",
    }


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"


def run(folder: Path, faults: Sequence[Fault], *, apart: bool = True) -> Iterator[Outcome]:
    """Try out faults on one cluster, one after another."""
    with scene(folder, apart=apart) as on:
        print(f"Milvus at {on.milvus.hosts}, {on.milvus.apart}", file=sys.stderr)
        for fault in faults:
            if not fault.needs_namespaces or on.milvus.network:
                yield try_out(fault, on)


def main() -> None:
    """Try out what was asked for, print the table."""
    parser = argparse.ArgumentParser(description="Kill parts of a Milvus cluster under Dateline.")
    parser.add_argument("--at", type=Path, required=True, metavar="FOLDER", help="for data and logs; empty at first")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="faults with one of these in their name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all of it")
    parser.add_argument("--one-network", action="store_true", help="no network namespaces")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    wanted = [fault for fault in FAULTS if not asked.only or any(part in fault.name for part in asked.only)]
    outcomes = []
    for outcome in run(asked.at.absolute(), wanted, apart=not asked.one_network):
        outcomes.append(outcome)
        print(json.dumps(asdict(outcome)), file=sys.stderr, flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    print(table(outcomes))
    sys.exit(not all(outcome.is_harmless for outcome in outcomes))


if __name__ == "__main__":
    main()
