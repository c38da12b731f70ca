import pytest

from index.errors import UsageError
from search.engine import Engine
from search.evaluate import evaluate, trec_lines
from search.query import SearchRequest

TEMPLATE = SearchRequest("")


@pytest.fixture
def engine(root, load):
    return Engine.open(root, load)


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_perfect_and_hopeless_queries_average(engine, tmp_path):
    queries = write(
        tmp_path / "q.jsonl",
        '{"id": "1", "text": "ferry aground"}\n{"id": "2", "text": "town budget"}\n{"id": "3", "text": "x"}\n',
    )
    qrels = write(tmp_path / "qrels.txt", "1 0 ferry 1\n2 0 gone 1\n")
    found = evaluate(engine, queries, qrels, TEMPLATE)
    assert found.queries == 2
    assert found.measures["success@1"] == found.measures["mrr@10"] == found.measures["ndcg@10"] == 0.5
    assert 0 < found.p50_ms <= found.p95_ms


def test_the_run_is_in_trec_format_and_its_scores_sort_as_its_ranks(engine, tmp_path):
    queries = write(tmp_path / "q.jsonl", '{"id": "1", "text": "ferry aground"}\n')
    found = evaluate(engine, queries, write(tmp_path / "qrels.txt", "1 0 ferry 1\n"), TEMPLATE)
    rows = [line.split() for line in trec_lines(found.run)]
    assert rows[0][:4] == ["1", "Q0", "ferry", "1"]
    assert [float(row[4]) for row in rows] == sorted((float(row[4]) for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        ("not json\n", "1 0 ferry 1\n", "q.jsonl:1"),
        ('{"id": "1"}\n', "1 0 ferry 1\n", "q.jsonl:1"),
        ('{"id": "1", "text": "x"}\n', "1 ferry\n", "qrels.txt:1"),
        ('{"id": "1", "text": "x"}\n', "2 0 ferry 1\n", "None of the queries"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(engine, tmp_path, queries, qrels, message):
    with pytest.raises(UsageError, match=message):
        evaluate(engine, write(tmp_path / "q.jsonl", queries), write(tmp_path / "qrels.txt", qrels), TEMPLATE)
