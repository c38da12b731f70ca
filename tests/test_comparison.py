import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import ARTICLES, write_jsonl

from index.build import rebuild
from index.command_line import run_command_line
from index.errors import UsageError
from search.cli import COMMANDS
from search.comparison import (
    bootstrap_interval,
    compare,
    comparison_json,
    comparison_lines,
    labels_of,
    randomisation_p,
    with_settings,
)
from search.evaluate import Evaluation, Query
from search.query import SearchRequest

TEMPLATE = SearchRequest("")
HERE = Path("here")
figures = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


def evaluation(*ndcg, **options):
    by_query = {str(number): value for number, value in enumerate(ndcg)}
    return Evaluation(
        measures={"ndcg@10": float(np.mean(ndcg))},
        by_query={"ndcg@10": by_query},
        p50_ms=2.0,
        p95_ms=3.0,
        run=(),
        labelled=tuple(Query(id, f"text {id}") for id in by_query),
        **options,
    )


def test_equal_figures_differ_by_nothing_and_by_chance():
    same = [0.2, 0.5, 1.0]
    assert bootstrap_interval(same, same) == (0, 0)
    assert randomisation_p(same, same) == 1


def test_the_same_gain_for_every_one_of_twenty_queries_is_hardly_chance():
    low, high = bootstrap_interval([0.6] * 20, [0.5] * 20)
    assert (low, high) == pytest.approx((0.1, 0.1))
    assert randomisation_p([0.6] * 20, [0.5] * 20) < 0.001


def test_five_gains_of_five_happen_by_chance_twice_in_thirty_two():
    assert randomisation_p([0.9] * 5, [0.5] * 5) == pytest.approx(2 / 32, abs=0.01)


def test_a_single_query_proves_nothing():
    assert randomisation_p([1.0], [0.0]) == 1
    assert bootstrap_interval([1.0], [0.0]) == (1, 1)


def test_the_interval_is_that_of_the_normal_distribution_where_queries_are_many():
    won = np.tile([0.0, 1.0], 200)  # mean .5, deviation .5, so .5 ± 1.96 · .5 / 20
    assert bootstrap_interval(won, np.zeros(400)) == pytest.approx((0.451, 0.549), abs=0.004)


def test_gains_and_losses_of_one_size_are_chance():
    low, high = bootstrap_interval([1.0, 0.0] * 15, [0.0, 1.0] * 15)
    assert low < 0 < high
    assert randomisation_p([1.0, 0.0] * 15, [0.0, 1.0] * 15) == 1


def test_many_queries_are_drawn_in_blocks_and_as_often(monkeypatch):
    one, other = np.linspace(0, 1, 50), np.linspace(0, 0.9, 50)
    at_once = bootstrap_interval(one, other), randomisation_p(one, other)
    monkeypatch.setattr("search.comparison._DRAWS_AT_ONCE", 7)
    in_blocks = bootstrap_interval(one, other), randomisation_p(one, other)
    assert in_blocks[0] == pytest.approx(at_once[0], abs=0.003)
    assert in_blocks[1] == pytest.approx(at_once[1], abs=0.01)


@given(figures)
def test_changing_sides_turns_the_interval_over_and_keeps_the_p_value(pairs):
    one, other = zip(*pairs, strict=True)
    low, high = bootstrap_interval(one, other, 200)
    assert (-high, -low) == pytest.approx(bootstrap_interval(other, one, 200))
    assert low <= high
    assert 0 < randomisation_p(one, other, 200) == randomisation_p(other, one, 200) <= 1


def test_won_and_lost_queries_come_with_the_most_changed_first():
    found = compare(evaluation(1.0, 0.5, 0.9, 0.2, 0.7), evaluation(0.8, 0.9, 0.1, 0.2, 0.8), ("a", "b"))
    assert [change.query for change in found.won] == ["2", "0"]
    assert [change.query for change in found.lost] == ["1", "4"]
    (row,) = found.differences
    assert (row.this, row.against, row.difference) == pytest.approx((0.66, 0.56, 0.1))
    assert row.low < row.difference < row.high


def test_json_and_text_say_the_same_and_show_as_many_queries_as_asked():
    found = compare(evaluation(1.0, 0.9, 0.0), evaluation(0.0, 0.1, 0.0), ("mode=hybrid", "mode=dense"))
    said = comparison_json(found, show=1)
    assert said["label"] == "mode=hybrid"
    assert said["against"]["label"] == "mode=dense"
    assert said["differences"]["ndcg@10"]["difference"] == 0.6
    assert said["won"] == [{"id": "0", "text": "text 0", "this": 1.0, "against": 0.0}]
    assert said["lost"] == []
    lines = "\n".join(comparison_lines(found, show=1))
    assert "mode=dense" in lines
    assert "+0.6000" in lines
    assert "2 of 3 queries" in lines
    assert "text 0" in lines
    assert "text 1" not in lines


def test_faults_of_both_sides_are_told_once_and_others_with_their_side():
    this = evaluation(1.0, unknown_articles=("x",), skipped=("9",))
    lines = list(comparison_lines(compare(this, evaluation(1.0, skipped=("9",)), ("a", "b")), 5))
    assert sum("skipped: 9" in line for line in lines) == 1
    assert any(line.startswith("this: ") and line.endswith("found: x") for line in lines)


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("mode=dense", "mode", "dense"),
        ("fusion = rrf", "fusion", "rrf"),
        ("collapse=story", "collapse", "story"),
        ("as-of=2022-06-16", "as_of", "2022-06-16"),
        ("date_words=false", "date_words", False),
        ("spelling=Off", "spelling", False),
    ],
)
def test_settings_are_fields_of_a_request(setting, name, value):
    assert getattr(with_settings(TEMPLATE, [setting]), name) == value


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("mode", "--against should be one of"),
        ("size=3", "not 'size=3'"),
        ("magic=1", "not 'magic=1'"),
        ("mode=magic", "'mode' should be one of"),
        ("spelling=perhaps", "true or false"),
        ("=", "should be one of"),
    ],
)
def test_what_is_no_setting_is_refused(setting, said):
    with pytest.raises(UsageError, match=said):
        with_settings(TEMPLATE, [setting])


def test_labels_say_what_differs_and_only_that():
    other = SearchRequest("", mode="dense", spelling=False)
    assert labels_of(TEMPLATE, other, (HERE, HERE)) == ("mode=hybrid, spelling=true", "mode=dense, spelling=false")
    assert labels_of(TEMPLATE, TEMPLATE, (HERE, Path("there"))) == ("index=here", "index=there")


def test_nothing_that_differs_is_nothing_to_compare():
    with pytest.raises(UsageError, match="nothing to compare"):
        labels_of(TEMPLATE, TEMPLATE, (HERE, Path("x/../here")))


@pytest.fixture
def evaluated(monkeypatch, capsys, load, root, tmp_path):
    """Runs `dateline evaluate` on two queries and returns exit status, standard output and standard error."""
    monkeypatch.setattr("index.encoder.load_encoder", load)
    (tmp_path / "q").write_text('{"id": "1", "text": "ferry aground"}\n{"id": "2", "text": "libraries"}\n')
    (tmp_path / "qrels").write_text("1 0 ferry 1\n2 0 budget 1\n")

    def run(*arguments):
        files = ("--queries", tmp_path / "q", "--qrels", tmp_path / "qrels", "--index", root)
        monkeypatch.setattr(sys, "argv", ["dateline", "evaluate", *map(str, files), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command_line(COMMANDS)
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


def test_the_command_compares_with_other_settings(evaluated):
    status, out, _ = evaluated("--against", "mode=dense", "--against", "spelling=no", "--json")
    assert status == 0
    said = json.loads(out)
    assert said["against"]["label"] == "mode=dense, spelling=false"
    assert said["mode"] == "hybrid"
    assert said["ndcg@10"] == said["differences"]["ndcg@10"]["this"]
    assert "against: fusion=rrf" in evaluated("--against", "fusion=rrf")[1]


def test_the_command_compares_with_another_index(evaluated, load, tmp_path):
    rebuild(tmp_path / "other", [str(write_jsonl(tmp_path / "some.jsonl", ARTICLES[:2]))], load)
    status, out, _ = evaluated("--against-index", tmp_path / "other", "--json", "--show", "1")
    assert status == 0
    said = json.loads(out)
    assert said["against"]["unknown_articles"] == {"count": 1, "first": ["budget"]}
    assert said["unknown_articles"]["count"] == 0
    assert [change["id"] for change in said["won"]] == ["2"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--against", "mode=hybrid"), 2, "nothing to compare"),
        (("--against", "mode"), 2, "should be one of"),
        (("--as-of", "query"), 2, "'date'"),
        (("--against-index", "nowhere"), 1, "nowhere"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(evaluated, arguments, status, said):
    found, out, err = evaluated(*arguments)
    assert (found, out) == (status, "")
    assert said in err
    assert "Traceback" not in err
