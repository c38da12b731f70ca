"""The quality gate: the bundled model on seeds/ answers labelled queries no worse than it once did.

tests/data/floors.json has a floor for each measure, and what each query reached when they were last raised.
`python tests/end_to_end/test_quality.py --raise` raises them to what is measured now; it never lowers one. To
lower a floor, edit it by hand and say why in the `reason` beside it.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import pytest

from index.build import rebuild
from index.encoder import load_encoder
from search.engine import Engine
from search.evaluate import evaluate
from search.query import SearchRequest

PROJECT = Path(__file__).parent.parent.parent
SEEDS = PROJECT / "seeds"
FLOORS = PROJECT / "tests" / "data" / "floors.json"
RAISE = "python tests/end_to_end/test_quality.py --raise"
# Another processor's rounding may move a query, another version of a library may not.
ALLOWANCE = 0.005
WORTH_RAISING = 0.01
SLIGHT = 0.0005
# When nothing in the corpus is fresh: the figures would otherwise change from day to day.
AS_OF = "2030-01-01"


def measured(engine, **options):
    return evaluate(engine, SEEDS / "queries.jsonl", SEEDS / "qrels.txt", SearchRequest("", as_of=AS_OF, **options))


def fallen(found, recorded):
    """The queries whose nDCG@10 is below the record, one a line, the deepest fall first."""
    texts = {query.id: query.text for query in found.labelled}
    falls = [(recorded.get(id, 1.0) - now, id, now) for id, now in found.by_query["ndcg@10"].items()]
    return "\n".join(
        f"  {id}: {now + fall:.4f} -> {now:.4f}  {texts[id]}"
        for fall, id, now in sorted(falls, key=lambda item: (-item[0], item[1]))
        if fall > SLIGHT
    )


def below(measures, floors):
    return [
        f"{name} is {measures[name]:.4f}, below its floor of {bound['floor']:.4f}"
        for name, bound in floors.items()
        if measures[name] < bound["floor"]
    ]


def above(measures, floors):
    return [name for name, bound in floors.items() if measures[name] > bound["floor"] + ALLOWANCE + WORTH_RAISING]


def raised(floors, measures):
    """`floors` and those that `measures` allow to be higher."""
    least = {name: round(value - ALLOWANCE, 4) for name, value in measures.items()}
    return {
        name: floors[name]
        if name in floors and floors[name]["floor"] >= floor
        else {"floor": floor, "reason": f"measured {measures[name]:.4f}"}
        for name, floor in least.items()
    }


def records(found):
    """nDCG@10 of the queries that are not answered perfectly."""
    return {id: round(value, 4) for id, value in found.by_query["ndcg@10"].items() if value < 1 - SLIGHT}


@pytest.fixture(scope="module")
def hybrid(engine):
    return measured(engine)


def test_no_measure_is_below_its_floor(hybrid, capsys):
    kept = json.loads(FLOORS.read_text("utf-8"))
    assert set(kept["floors"]) == set(hybrid.measures)
    faults = below(hybrid.measures, kept["floors"])
    assert not faults, "\n".join((*faults, "Queries that fell:", fallen(hybrid, kept["queries"])))
    if better := above(hybrid.measures, kept["floors"]):
        with capsys.disabled():
            print(f"\n{', '.join(better)} can have a higher floor. Run: {RAISE}")


def test_every_label_and_query_of_the_seeds_counts(hybrid):
    assert hybrid.queries >= 60
    assert (hybrid.skipped, hybrid.refused, hybrid.unknown_articles) == ((), (), ())


@pytest.mark.parametrize("other", [{"mode": "dense"}, {"mode": "lexical"}, {"fusion": "rrf"}], ids=str)
def test_hybrid_search_beats_its_legs_and_fusion_by_rank(engine, hybrid, other):
    assert hybrid.measures["ndcg@10"] > measured(engine, **other).measures["ndcg@10"]


def test_floors_only_rise():
    floors = {"mrr@10": {"floor": 0.9, "reason": "kept"}, "ndcg@10": {"floor": 0.5, "reason": "old"}}
    found = raised(floors, {"mrr@10": 0.901, "ndcg@10": 0.8, "success@1": 1.0})
    assert found["mrr@10"] == {"floor": 0.9, "reason": "kept"}
    assert {name: bound["floor"] for name, bound in found.items()} == {
        "mrr@10": 0.9,
        "ndcg@10": 0.795,
        "success@1": 0.995,
    }


def test_a_floor_that_is_broken_or_outgrown_is_named():
    floors = {"mrr@10": {"floor": 0.9, "reason": ""}}
    assert below({"mrr@10": 0.8999}, floors) == ["mrr@10 is 0.8999, below its floor of 0.9000"]
    assert below({"mrr@10": 0.9}, floors) == above({"mrr@10": 0.91}, floors) == []
    assert above({"mrr@10": 0.92}, floors) == ["mrr@10"]


def test_the_queries_that_fell_are_told_the_deepest_fall_first(hybrid):
    first, second = list(hybrid.by_query["ndcg@10"].items())[:2]
    recorded = {**hybrid.by_query["ndcg@10"], first[0]: first[1] + 0.1, second[0]: second[1] + 0.2}
    lines = fallen(hybrid, recorded).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [second[0], first[0]]


def raise_floors():
    """Builds an index of seeds/, measures it and rewrites the file of floors."""
    kept = json.loads(FLOORS.read_text("utf-8")) if FLOORS.exists() else {"floors": {}, "queries": {}}
    with tempfile.TemporaryDirectory() as folder:
        rebuild(Path(folder) / "index", [str(SEEDS)], load_encoder)
        found = measured(Engine.open(Path(folder) / "index"))
    floors = raised(kept["floors"], found.measures)
    for name, value in found.measures.items():
        before = kept["floors"].get(name, {"floor": 0.0})["floor"]
        print(f"{name:>12}  measured {value:.4f}  floor {before:.4f} -> {floors[name]['floor']:.4f}")
    if floors != kept["floors"]:
        kept = {"floors": floors, "queries": records(found)}
        FLOORS.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raise", action="store_true", required=True, help="Raise floors to what is measured now.")
    parser.parse_args()
    raise_floors()
