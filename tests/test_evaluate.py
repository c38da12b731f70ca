import json
from itertools import pairwise

import pytest
from sample import ARTICLES, write_jsonl

from index.build import rebuild
from index.errors import QueryError, UsageError
from search.engine import Engine
from search.evaluate import evaluate, evaluation_json, evaluation_lines, trec_lines
from search.query import SearchRequest

TEMPLATE = SearchRequest("")
FERRY = '{"id": "1", "text": "ferry aground"}\n'
BUDGET = '{"id": "2", "text": "town budget"}\n'


@pytest.fixture
def engine(root, load):
    return Engine.open(root, load)


@pytest.fixture
def measure(engine, tmp_path):
    """Evaluates the engine on what these files hold."""

    def run(queries, qrels, template=TEMPLATE, **options):
        files = write(tmp_path / "q.jsonl", queries), write(tmp_path / "qrels.txt", qrels)
        return evaluate(options.pop("engine", engine), *files, template, **options)

    return run


def write(path, text):
    path.write_text(text, "utf-8")
    return path


class Listening:
    """An engine that remembers what it was asked."""

    def __init__(self, engine):
        self.store = engine.store
        self.asked = []
        self._search = engine.search

    def search(self, request):
        self.asked.append(request)
        return self._search(request)


def test_perfect_and_hopeless_queries_average(measure):
    found = measure(FERRY + BUDGET, "1 0 ferry 1\n2 0 gone 1\n")
    assert found.queries == 2
    assert found.measures["success@1"] == found.measures["mrr@10"] == found.measures["ndcg@10"] == 0.5
    assert 0 < found.p50_ms <= found.p95_ms


def test_each_query_has_its_own_figures_and_the_means_are_theirs(measure):
    found = measure(FERRY + BUDGET, "1 0 ferry 1\n2 0 ferry 1\n2 0 budget 2\n2 0 gone 1\n")
    assert set(found.by_query) == set(found.measures)
    for name, figures in found.by_query.items():
        assert set(figures) == {"1", "2"}
        assert found.measures[name] == pytest.approx(sum(figures.values()) / 2, abs=1e-4)
    assert found.by_query["ndcg@10"]["1"] == 1.0
    assert 0 < found.by_query["ndcg@10"]["2"] < 1


def test_a_run_has_six_columns_and_scores_that_fall_with_every_rank(measure):
    rows = [line.split() for line in trec_lines(measure(FERRY + BUDGET, "1 0 ferry 1\n2 0 budget 1\n").run, "my run")]
    assert rows[0][:4] == ["1", "Q0", "ferry", "1"]
    assert {(len(row), row[1], row[5]) for row in rows} == {(6, "Q0", "my%20run")}
    for query in ("1", "2"):
        own = [(int(row[3]), float(row[4])) for row in rows if row[0] == query]
        assert [rank for rank, _ in own] == list(range(1, len(own) + 1))
        assert all(better > worse for (_, better), (_, worse) in pairwise(own))


def test_the_first_score_of_a_run_is_the_one_that_a_search_shows(engine, measure):
    first = measure(FERRY, "1 0 ferry 1\n").run[0]
    assert first.score == engine.search("ferry aground", size=100).hits[0].score


def test_an_article_of_which_every_passage_is_a_result_stands_in_the_run_once(measure):
    run = measure(FERRY, "1 0 ferry 1\n", SearchRequest("", collapse="off")).run
    assert len({line.article for line in run}) == len(run)


def test_white_space_in_an_id_is_no_new_column(load, measure, tmp_path):
    source = write_jsonl(tmp_path / "spaced.jsonl", [{**ARTICLES[0], "id": "the ferry"}, *ARTICLES[1:]])
    rebuild(tmp_path / "spaced", [str(source)], load)
    found = measure(FERRY, "1 0 the%20ferry 1\n", engine=Engine.open(tmp_path / "spaced", load))
    assert found.measures["success@1"] == 1
    assert found.unknown_articles == ()
    assert next(iter(trec_lines(found.run))).split()[2] == "the%20ferry"


def test_labelled_articles_that_the_index_lacks_are_named(measure):
    gone = "".join(f"1 0 gone{number} 1\n" for number in range(7))
    found = measure(FERRY, f"1 0 ferry 1\n{gone}")
    assert len(found.unknown_articles) == 7
    assert evaluation_json(found)["unknown_articles"] == {"count": 7, "first": [f"gone{n}" for n in range(5)]}
    assert any("gone4 and 2 more" in line for line in evaluation_lines(found))


def test_labels_of_another_corpus_are_refused(measure):
    with pytest.raises(UsageError, match=r"None of the labelled articles.*\(gone\)"):
        measure(FERRY, "1 0 gone 1\n")


def test_queries_without_a_label_are_told(measure):
    found = measure(FERRY + BUDGET, "1 0 ferry 1\n9 0 ferry 1\n")
    assert found.skipped == ("2",)
    assert any("without a label, which were skipped: 2" in line for line in evaluation_lines(found))


def test_a_query_that_is_refused_finds_nothing_and_stops_nobody(measure):
    found = measure('{"id": "2", "text": "-budget"}\n' + FERRY, "1 0 ferry 1\n2 0 budget 1\n")
    assert found.measures["success@1"] == 0.5
    assert found.refused[0][0] == "2"
    assert evaluation_json(found)["refused_queries"][0]["id"] == "2"
    assert any("Query 2 was refused" in line for line in evaluation_lines(found))


def test_when_every_query_is_refused_the_first_reason_is_told(measure):
    with pytest.raises(UsageError, match=r"Every query .* leave out"):
        measure('{"id": "1", "text": "-budget"}\n', "1 0 ferry 1\n")


def test_a_template_that_makes_no_sense_is_the_callers_fault(measure):
    with pytest.raises(QueryError, match="magic"):
        measure(FERRY, "1 0 ferry 1\n", SearchRequest("", mode="magic"))


@pytest.mark.parametrize(
    ("template", "own_dates", "days"),
    [
        (TEMPLATE, False, {None}),
        (TEMPLATE, True, {"2022-06-16", None}),
        (SearchRequest("", as_of="2025-08-20"), False, {"2025-08-20"}),
        (SearchRequest("", as_of="2025-08-20"), True, {"2022-06-16", "2025-08-20"}),
    ],
)
def test_queries_are_asked_on_their_day_if_wanted(engine, measure, template, own_dates, days):
    listening = Listening(engine)
    dated = json.dumps({"id": "1", "text": "ferry aground", "date": "2022-06-16"}) + "\n"
    measure(dated + BUDGET, "1 0 ferry 1\n2 0 budget 1\n", template, own_dates=own_dates, engine=listening)
    assert {request.as_of for request in listening.asked[1:]} == days


def test_own_dates_need_a_query_that_has_one(measure):
    with pytest.raises(UsageError, match="'date'"):
        measure(FERRY, "1 0 ferry 1\n", own_dates=True)


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        ("not json\n", "1 0 ferry 1\n", "q.jsonl:1"),
        ('\n{"id": "1"}\n', "1 0 ferry 1\n", "q.jsonl:2"),
        ('["1", "x"]\n', "1 0 ferry 1\n", "q.jsonl:1"),
        ('{"id": "1", "text": "x", "date": "June"}\n', "1 0 ferry 1\n", "q.jsonl:1.*'date'.*June"),
        ('{"id": "1", "text": "x", "date": 2022}\n', "1 0 ferry 1\n", "q.jsonl:1"),
        (FERRY + '{"id": "1", "text": "another"}\n', "1 0 ferry 1\n", "q.jsonl:2 has the id '1'"),
        ('{"id": "1", "text": "x"}\n', "1 ferry\n", "qrels.txt:1"),
        ('{"id": "1", "text": "x"}\n', "1 0 ferry high\n", "qrels.txt:1"),
        ('{"id": "1", "text": "x"}\n', "2 0 ferry 1\n", "None of the queries"),
        ("", "", "None of the queries"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(measure, queries, qrels, message):
    with pytest.raises(UsageError, match=message):
        measure(queries, qrels)


def test_a_line_separator_in_a_query_and_a_byte_order_mark_are_no_faults(measure):
    found = measure('\ufeff{"id": "1", "text": "ferry\u2028aground"}\r\n', "1 0 ferry 1\r\n")
    assert found.measures["success@1"] == 1
