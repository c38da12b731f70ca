"""Cursors and bounds, over the API and by themselves."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import write_jsonl

from index.build import add
from index.errors import QueryError
from search.engine import Engine
from search.query import SearchRequest
from web.app import create_app
from web.portions import Cursor, search_portion


@pytest.fixture
def engine(root, load, tmp_path):
    """Beside the five articles thirty short ones, and one whose only passage is long."""
    many = [
        {"id": f"n{n}", "title": f"Harbour note {n}", "text": f"Harbour dues rose again in year {n}."}
        for n in range(30)
    ]
    long = " ".join(f"The zeppelin, seen from pier {n}, came down beside the mole and was made fast." for n in range(9))
    add(root, [str(write_jsonl(tmp_path / "more.jsonl", [*many, {"id": "long", "title": "Z", "text": long}]))], load)
    engine = Engine.open(root, load)
    yield engine
    engine.close()


@pytest.fixture
def client(engine, root):
    return create_app(lambda: engine, root).test_client()


def all_portions(client, **asked):
    """Answers from the first to the last, following the cursor."""
    answers = [client.get("/api/v1/search", query_string=asked).json]
    while cursor := answers[-1]["next_cursor"]:
        answers.append(client.get("/api/v1/search", query_string=asked | {"cursor": cursor}).json)
        assert len(answers) < 100
    return answers


def shown(answers):
    return [(result["rank"], result["article"]["id"]) for answer in answers for result in answer["results"]]


@pytest.mark.parametrize("asked", [{"size": 7}, {"size": 50, "max_chars": 200}, {"size": 9, "sort": "newest"}])
def test_portion_after_portion_gives_the_whole_ranking_once(client, asked):
    whole = client.get("/api/v1/search", query_string=asked | {"q": "harbour dues", "size": 100, "max_chars": ""}).json
    answers = all_portions(client, q="harbour dues", **asked)
    assert len(answers) > 1
    assert shown(answers) == shown([whole])
    assert whole["next_cursor"] is None


def test_a_cursor_goes_on_with_another_size_and_takes_the_place_of_a_page(client):
    first = client.get("/api/v1/search?q=harbour&size=5").json
    cursor = first["next_cursor"]
    more = client.get(f"/api/v1/search?q=harbour&size=3&page=4&explain=true&cursor={cursor}").json
    assert [result["rank"] for result in more["results"]] == [6, 7, 8]
    posted = client.post("/api/v1/search", json={"q": "harbour", "size": 3, "cursor": cursor}).json
    assert shown([posted]) == shown([more])


def test_the_texts_of_a_portion_keep_to_the_bound(client):
    for answer in all_portions(client, q="harbour zeppelin", size=20, max_chars=300):
        assert 0 < sum(len(result["passage"]["text"]) for result in answer["results"]) <= 300


def test_a_passage_that_is_too_long_alone_is_shortened_and_its_offsets_hold(client):
    answer = client.get("/api/v1/search?q=zeppelin+pier+5&max_chars=200&size=1").json
    passage = answer["results"][0]["passage"]
    whole = client.get("/api/v1/articles/long").json["text"]
    assert len(passage["text"]) <= 200 < len(whole)
    assert whole[passage["start"] : passage["end"]] == passage["text"]
    assert passage["id"] == f"long:{passage['start']}-{passage['end']}"
    assert "pier 5" in passage["text"][slice(*passage["best_sentence"])]
    assert {passage["text"][slice(*span)].lower() for span in passage["highlights"]} == {"zeppelin", "pier", "5"}
    assert any("shortened" in note for note in answer["interpreted"]["notes"])


def test_a_cursor_outlives_a_change_of_the_corpus_and_says_so(client, engine, root, load, tmp_path):
    cursor = client.get("/api/v1/search?q=harbour&size=5").json["next_cursor"]
    add(root, [str(write_jsonl(tmp_path / "x.jsonl", [{"id": "x", "title": "X", "text": "Something else."}]))], load)
    assert engine.refresh(load)
    answer = client.get(f"/api/v1/search?q=harbour&size=5&cursor={cursor}").json
    assert answer["results"][0]["rank"] == 6
    assert any("corpus has changed" in note for note in answer["interpreted"]["notes"])


@pytest.mark.parametrize(
    "asked", ["q=ferry", "q=harbour&source=La+Vigie", "q=harbour&sort=newest", "q=harbour&mode=dense"]
)
def test_a_cursor_of_another_search_is_refused(client, asked):
    cursor = client.get("/api/v1/search?q=harbour&size=5").json["next_cursor"]
    refused = client.get(f"/api/v1/search?{asked}&cursor={cursor}")
    assert (refused.status_code, refused.json["error"]["field"]) == (400, "cursor")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "%00", "A" * 20, "A" * 5000, "AAAAAAAAAAAAAAAAAA=="])
def test_what_is_no_cursor_is_refused(client, cursor):
    refused = client.get(f"/api/v1/search?q=harbour&cursor={cursor}")
    assert (refused.status_code, refused.json["error"]["field"]) == (400, "cursor")


def test_a_bound_below_a_sentence_is_refused(client):
    for path in ("/api/v1/search?q=ferry", "/api/v1/articles/ferry?q="):
        refused = client.get(f"{path}&max_chars=199")
        assert (refused.status_code, refused.json["error"]["field"]) == (400, "max_chars")


def test_nothing_follows_the_last_result_that_can_be_paged_to(engine, monkeypatch):
    monkeypatch.setattr("web.portions.MAX_RESULTS", 12)
    request = SearchRequest("harbour", size=5)
    numbers, cursor = [], None
    while True:
        result, cursor = search_portion(engine, request, cursor)
        numbers.append([hit.rank for hit in result.hits])
        if cursor is None:
            break
    assert numbers == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]


@given(st.binary(max_size=40).map(lambda data: urlsafe_b64encode(data).decode()) | st.text(max_size=30))
def test_reading_a_cursor_fails_in_one_way_only(text):
    try:
        assert str(Cursor.read(text)) == text
    except QueryError as error:
        assert error.field == "cursor"


@given(st.integers(0, 2**32 - 1), st.binary(min_size=6, max_size=6), st.binary(min_size=5, max_size=5))
def test_a_cursor_says_what_it_was_made_of(position, question, corpus):
    read = Cursor.read(str(Cursor(position, question, corpus)))
    assert (read.position, read.question, read.corpus) == (position, question, corpus)
    assert str(read).replace("-", "").replace("_", "").isalnum()


def test_an_article_in_portions(client):
    whole = client.get("/api/v1/articles/long").json
    assert (whole["offset"], whole["next_offset"], whole["length"]) == (0, None, len(whole["text"]))
    told, passages, offset = "", [], 0
    while offset is not None:
        part = client.get(f"/api/v1/articles/long?max_chars=200&offset={offset}").json
        assert (part["offset"], part["length"]) == (len(told), whole["length"])
        assert len(part["text"]) <= 200
        told, passages, offset = told + part["text"], passages + part["passages"], part["next_offset"]
    assert (told, passages) == (whole["text"], whole["passages"])
    beyond = client.get("/api/v1/articles/long?offset=99999")
    assert (beyond.status_code, beyond.json["error"]["field"]) == (400, "offset")


def test_an_article_says_how_well_its_passages_answer(client):
    plain, asked = client.get("/api/v1/articles/strike").json, client.get("/api/v1/articles/strike?q=wages").json
    assert "highlights" not in plain
    assert "score" not in plain["passages"][0]
    assert [asked["text"][slice(*span)] for span in asked["highlights"]] == ["Wages"]
    assert asked["passages"][0]["score"] > 0
