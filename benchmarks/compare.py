"""How fast and how well Dateline answers, beside txtai, LanceDB, plain FAISS and bm25s in the same run.

    python benchmarks/compare.py INDEX QUERIES_FOLDER [...] [--environments FOLDER] [--json FOLDER]

Each QUERIES_FOLDER holds queries.jsonl and qrels.txt; each distinct query is asked once. The peers index the same
passages (the title, then about 150 words) with the vectors that INDEX has, so nothing is embedded but the queries,
which each embeds as it does by default: with the same model, in torch. One client asks one query after another for
ten results with their texts; Dateline is measured in a process like the peers' and over HTTP, where it answers
with ten articles, grouped and highlighted, facets and all. nDCG@10 is by article, each peer's best passage standing
for its article. A second round and a third (--rounds) find the least disturbed figures on a busy machine.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ir_measures
from peers.environments import OFFLINE, PEERS, Peer, answer
from peers.export import export
from processes import CommandFailed, run_measured
from report import save
from served import Server, memory_mb, one_by_one, search_path

_PEERS_FOLDER = Path(__file__).parent / "peers"
_DEPTH = 100
"""Passages of a peer (articles of Dateline) out of which the ten articles that count are taken."""
_MEASURE = ir_measures.nDCG @ 10


@dataclass(frozen=True, slots=True)
class Question:
    """A labelled query of one of the sets; `labels` are grades by article."""

    id: str
    set: str
    text: str
    labels: Mapping[str, int]


def main() -> None:
    """Prints a table, and writes the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--environments", type=Path, help="where the peers are installed")
    parser.add_argument("--peers", default=",".join(peer.name for peer in PEERS), help="which, by name, with commas")
    parser.add_argument("--work", type=Path, help="keep the peers' indexes there and use those that are there")
    parser.add_argument("--queries", type=int, help="at most so many of each folder")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    missing = [folder for folder in asked.folders if not (folder / "queries.jsonl").is_file()]
    if missing:
        sys.exit(f"Skipped: no queries.jsonl in {missing[0]}.")
    questions = [question for folder in asked.folders for question in read_questions(folder, asked.queries)]
    wanted = [peer for peer in PEERS if peer.name in asked.peers.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.work or Path(temporary)
        results = compare(asked.index, questions, wanted, asked.environments, work, asked.rounds)
    show(results)
    if asked.json:
        print(save("compare", results, asked.json))


def read_questions(folder: Path, most: int | None) -> list[Question]:
    """The labelled queries of a folder, each distinct text once, evenly thinned out to `most`."""
    labels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels.txt").read_text("utf-8").splitlines():
        query, _, article, grade = line.split()
        labels[query][article] = int(grade)
    distinct: dict[str, Question] = {}
    for line in (folder / "queries.jsonl").read_text("utf-8").splitlines():
        query = json.loads(line)
        if query["id"] in labels and query["text"] not in distinct:
            name = f"{folder.name}/{query['id']}"
            distinct[query["text"]] = Question(name, folder.name, query["text"], labels[query["id"]])
    questions = list(distinct.values())
    count = min(most or len(questions), len(questions))
    return [questions[i * len(questions) // count] for i in range(count)]


def compare(
    index: Path,
    questions: Sequence[Question],
    wanted: Sequence[Peer],
    environments: Path | None,
    work: Path,
    rounds: int,
) -> dict[str, Any]:
    """Figures of Dateline and of every peer that is installed; of several rounds those with the lowest median."""
    passages = export(index, work, vectors=True)
    asked = work / "queries.jsonl"
    lines = (json.dumps({"id": question.id, "text": question.text}) for question in questions)
    asked.write_text("\n".join(lines) + "\n", encoding="utf-8")
    systems: dict[str, dict[str, Any]] = {}
    skipped = {peer.name: peer.missing() for peer in wanted if peer.python(environments) is None}
    wanted = [peer for peer in wanted if peer.name not in skipped]
    builds = {peer.name: built(peer, environments, work) for peer in wanted if peer.builds}
    for _ in range(rounds):
        for name, title, found in measured(index, questions, wanted, environments, asked, work):
            if name not in systems or found["p50_ms"] < systems[name]["p50_ms"]:
                systems[name] = {"title": title, **builds.get(name, {}), **found}
    for system in systems.values():
        system["dateline_is_faster"] = system["p50_ms"] / systems["dateline"]["p50_ms"]
        if "http" in systems:
            system["dateline_over_http_is_faster"] = system["p50_ms"] / systems["http"]["p50_ms"]
    return {"passages": passages, "queries": len(questions), "systems": systems, "skipped": skipped}


def built(peer: Peer, environments: Path | None, work: Path) -> dict[str, Any]:
    """Indexes the exported passages with their vectors, if that was not done before."""
    receipt, passages = work / peer.name / "built.json", work / "passages.jsonl"
    with passages.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    before = json.loads(receipt.read_text("utf-8")) if receipt.is_file() else {}
    if before.get("passages") != digest:
        shutil.rmtree(work / peer.name, ignore_errors=True)
        command = peer.command(environments, "build", passages, work / peer.name)
        finished = run_measured([*command, "--vectors", str(work / "vectors.npy")], OFFLINE)
        before = {"passages": digest, "seconds": answer(finished.output)["seconds"], "peak_mb": finished.peak_mb}
        receipt.write_text(json.dumps(before), encoding="utf-8")
    return {"build_without_embedding_seconds": before["seconds"], "build_peak_mb": before["peak_mb"]}


def measured(
    index: Path, questions: Sequence[Question], wanted: Sequence[Peer], environments: Path | None,
    asked: Path, work: Path,
) -> Iterator[tuple[str, str, dict[str, Any]]]:  # fmt: skip
    """Name, title and figures of each system in turn; says on standard error what could not be measured."""
    own = [sys.executable, str(_PEERS_FOLDER / "with_dateline.py"), "search", str(index), str(asked)]
    commands = [("dateline", "Dateline", own)]
    for peer in wanted:
        folder = work / (peer.name if peer.builds else peer.environment)
        commands.append((peer.name, peer.title, peer.command(environments, "search", folder, asked)))
    for name, title, command in commands:
        try:
            found = answer(run_measured([*command, "--depth", str(_DEPTH)], OFFLINE).output)
        except CommandFailed as failed:
            print(f"{title} failed: {failed}", file=sys.stderr)
            if name == "dateline":
                raise
            continue
        found["ndcg"] = quality(found.pop("run"), questions)
        yield name, title, found
        if name == "dateline":
            yield "http", "Dateline over HTTP", over_http(index, [question.text for question in questions])


def over_http(index: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Figures of `dateline serve` with one worker and no memory of answers, asked over one lasting connection."""
    with Server(index, "--workers", "1", "--cache", "0") as server:
        one_by_one(server.port, [search_path(text, size=10) for text in texts[:20]])  # warm, as the others are
        load = one_by_one(server.port, [search_path(text, size=10) for text in texts])
        memory = sum(memory_mb(worker)["pss"] for worker in server.workers())
    told = load.summary()
    return {
        "queries": len(texts), "p50_ms": told["p50_ms"], "p95_ms": told["p95_ms"], "p99_ms": told["p99_ms"],
        "memory_mb": memory, "failed": told["failed"] + told["refused"],
    }  # fmt: skip


def quality(run: Mapping[str, Sequence[str]], questions: Sequence[Question]) -> dict[str, float]:
    """nDCG@10 by article of each set, and their mean."""
    by_set: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_set[question.set].append(question)
    figures = {}
    for name, members in by_set.items():
        labels = {question.id: dict(question.labels) for question in members}
        # A score that falls by rank, because the measure sorts by score.
        scores = {id: {article: -rank for rank, article in enumerate(run.get(id, ()))} for id in labels}
        figures[name] = round(float(ir_measures.calc_aggregate([_MEASURE], labels, scores)[_MEASURE]), 4)
    return {**figures, "mean": round(sum(figures.values()) / len(figures), 4)}


def show(results: Mapping[str, Any]) -> None:
    """Prints one line a system."""
    systems = list(results["systems"].values())
    sets = list(systems[0]["ndcg"])
    print(f"{results['queries']:,} queries over {results['passages']:,} passages; nDCG@10 by article")
    print(f"{'':32}{'p50 ms':>8}{'p99 ms':>8}{'MB':>7}{'ratio':>8}" + "".join(f"{name[:12]:>13}" for name in sets))
    for system in systems:
        told = system.get("ndcg", {})
        print(
            f"{system['title']:32}{system['p50_ms']:8.2f}{system['p99_ms']:8.2f}{system['memory_mb'] or 0:7.0f}"
            f"{system['dateline_is_faster']:7.2f}×"
            + "".join(f"{told[name]:13.3f}" if name in told else " " * 13 for name in sets)
        )
    for name, reason in results["skipped"].items():
        print(f"{name} skipped: {reason}")


if __name__ == "__main__":
    main()
