import html
import json
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from sample import ARTICLES

from index.build import add
from search.engine import Engine
from search.query import SearchRequest
from search.results import result_json
from web.app import create_app
from web.live import NotReady
from web.schemas import (
    ArticleResponse,
    ErrorResponse,
    SearchResponse,
    SimilarResponse,
    StatsResponse,
    SuggestResponse,
)


@pytest.fixture
def client(root, load):
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client()


@pytest.fixture
def closed_client(tmp_path):
    def engine():
        raise NotReady("The index is being opened.")

    return create_app(engine, tmp_path).test_client()


def error(response, status, field=None):
    assert response.status_code == status
    found = ErrorResponse.model_validate(response.json).error
    assert found.field == field
    assert "Traceback" not in found.message
    return found


def test_search_answers_in_the_shape_of_the_contract(client):
    response = client.get("/api/v1/search", query_string={"q": "ferry strike", "size": 2, "explain": "true"})
    found = SearchResponse.model_validate(response.json)
    assert [result.article.id for result in found.results] == ["strike", "ferry"]
    assert found.results[0].rank == 1
    assert found.results[0].signals
    start, end = found.results[0].passage.start, found.results[0].passage.end
    whole = client.get("/api/v1/articles/strike").json["text"]
    assert whole[start:end] == found.results[0].passage.text


def test_each_signal_says_what_it_adds_to_the_score(client):
    best = client.get("/api/v1/search?q=ferry+strike&explain=true&as_of=2025-08-21").json["results"][0]
    assert sum(best["shares"].values()) == pytest.approx(best["score"], abs=1e-3)
    assert best["signals"]["recency"] > 0.9
    assert "shares" not in client.get("/api/v1/search?q=ferry").json["results"][0]


def test_what_was_read_out_of_the_query_is_said(client):
    asked = {"q": 'ferri source:"Harbour Wire" deckhnads last week', "as_of": "2025-08-27"}
    read = client.get("/api/v1/search", query_string=asked).json["interpreted"]
    assert (read["from"], read["to"], read["date_words"]) == ("2025-08-18", "2025-08-24", "last week")
    assert (read["text"], read["sources"]) == ("ferri deckhands", ["Harbour Wire"])
    assert read["corrections"] == [{"typed": "deckhnads", "meant": "deckhands"}]
    plain = client.get("/api/v1/search", query_string=asked | {"date_words": "false", "spelling": "false"})
    assert plain.json["interpreted"]["text"] == "ferri deckhnads last week"


def test_similar_articles(client):
    found = SimilarResponse.model_validate(client.get("/api/v1/articles/strike/similar?size=2").json).similar
    assert found[0].id == "ferry"
    assert len(found) == 2
    error(client.get("/api/v1/articles/nope/similar"), 404)
    error(client.get("/api/v1/articles/strike/similar?size=0"), 400, "size")


def test_facets_and_timeline_count_what_matches(client):
    found = client.get("/api/v1/search?q=ferry+strike+wages&size=1").json
    for name in ("source", "year", "author", "language"):
        assert found["facets"][name], name
    assert sum(month["count"] for month in found["timeline"]) <= found["total"]


@pytest.mark.parametrize(("interval", "dates"), [("year", ["2024", "2025"]), ("month", ["2024-09", "2025-08"]),
                                                 ("day", ["2024-09-08", "2025-08-20"])])  # fmt: skip
def test_the_timeline_counts_by_the_interval_asked_for(client, interval, dates):
    found = client.get(f"/api/v1/search?q=ferry&from=2024-01-01&mode=lexical&interval={interval}").json
    assert found["timeline"] == [{"date": date, "count": 1} for date in dates]


def test_suggestions_go_on_as_was_typed(client):
    found = SuggestResponse.model_validate(client.get("/api/v1/suggest?q=harb").json).suggestions
    assert (found[0].text, found[0].kind, found[0].query) == ("Harbour Wire", "source", 'source:"Harbour Wire"')
    assert client.get("/api/v1/suggest", query_string={"q": found[0].query}).status_code == 200
    assert len(client.get("/api/v1/suggest?q=f&size=1").json["suggestions"]) <= 1
    assert client.get("/api/v1/suggest?q=").json == {"suggestions": []}
    error(client.get("/api/v1/suggest"), 400, "q")
    error(client.get("/api/v1/suggest?q=x&size=21"), 400, "size")


def test_the_command_line_and_the_api_answer_in_one_shape(client, root, load):
    found = client.get("/api/v1/search?q=ferry+strike&size=2&explain=true&as_of=2025-08-21").json
    engine = Engine.open(root, load)
    printed = result_json(engine.search(SearchRequest("ferry strike", size=2, explain=True, as_of="2025-08-21")))
    engine.close()
    assert found.pop("next_cursor")
    assert printed | {"took_ms": 0} == found | {"took_ms": 0}


def test_posting_json_gives_the_same_answer(client):
    asked = {"q": "ferry", "source": ["Coastline Press"], "from": "2024-01-01", "size": 3}
    posted = client.post("/api/v1/search", json=asked).json
    got = client.get("/api/v1/search", query_string=asked).json
    assert [result["article"]["id"] for result in posted["results"]] == ["ferry"]
    assert posted | {"took_ms": 0} == got | {"took_ms": 0}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("source=Harbour+Wire&source=La+Vigie", {"strike", "budget", "pont"}),
        ("exclude_source=Harbour+Wire&language=en", {"ferry", "undated"}),
        ("author=Femi+Okonjo", {"budget"}),
        ("from=2025-08-20&to=2025-08-20", {"strike"}),
        ("from=&to=&source=", {"ferry", "strike", "budget", "pont", "undated"}),
    ],
)
def test_filters(client, parameters, expected):
    found = client.get(f"/api/v1/search?q=ferry&size=100&{parameters}").json
    assert {result["article"]["id"] for result in found["results"]} == expected


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=-ferry", "q"),
        ("q=x&size=abc", "size"),
        ("q=x&size=1000", "size"),
        ("q=x&page=0", "page"),
        ("q=x&page=5000&size=100", "page"),
        ("q=x&from=2025-02-30", "from"),
        ("q=x&from=2025-02-02&to=2025-01-01", "from"),
        ("q=x&sort=best", "sort"),
        ("q=x&mode=magic", "mode"),
        ("q=x&collapse=story2", "collapse"),
        ("q=x&explain=perhaps", "explain"),
        ("q=x&as_of=soon", "as_of"),
        ("q=x&date_words=perhaps", "date_words"),
        ("q=x&interval=week", "interval"),
        ("q=x&max_chars=few", "max_chars"),
        ("q=x&cursor=one", "cursor"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(client, parameters, field):
    assert error(client.get(f"/api/v1/search?{parameters}"), 400, field).code == "bad_query"


def test_unknown_parameters_are_ignored_and_said_so(client):
    assert "'sizee'" in client.get("/api/v1/search?q=ferry&sizee=3").json["interpreted"]["notes"][0]


def test_bodies_that_are_no_search(client):
    error(client.post("/api/v1/search", json=["q"]), 422)
    error(client.post("/api/v1/search", json={"q": 5}), 422, "q")
    error(client.post("/api/v1/search", data="{", content_type="application/json"), 400)
    error(client.post("/api/v1/search", data="[" * 60_000, content_type="application/json"), 400)
    error(client.post("/api/v1/search", data=rb'{"q": "ferry \ud800"}', content_type="application/json"), 400)
    error(client.post("/api/v1/search", json={"q": "ferry", "page": None}), 422, "page")
    error(client.post("/api/v1/search", data="q=x"), 415)
    error(client.post("/api/v1/search", data="x" * 70_000, content_type="application/json"), 413)


def test_other_methods_and_paths(client):
    assert "GET" in client.delete("/api/v1/search").headers["Allow"]
    error(client.delete("/api/v1/search"), 405)
    error(client.get("/api/v1/nothing"), 404)
    error(client.get("/api/v1/articles/nobody"), 404)


def test_an_article_is_given_whole(client):
    found = ArticleResponse.model_validate(client.get("/api/v1/articles/ferry").json)
    assert found.text == ARTICLES[0]["text"]
    assert found.passages[0].id == f"ferry:{found.passages[0].start}-{found.passages[0].end}"


@pytest.mark.parametrize("id", ["/news/1", "//a//b", "https://x.example/a?b=1#c", "a/"])
def test_any_id_can_be_opened(root, load, tmp_path, id):
    record = {"id": id, "title": "Odd", "text": "An odd identifier."}
    (tmp_path / "x.jsonl").write_text(json.dumps(record) + "\n")
    add(root, [str(tmp_path / "x.jsonl")], load)
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    link = html.unescape(re.search(r'href="(/article/[^"]*)"', client.get("/?q=odd+identifier").text)[1])
    assert "<title>Odd" in client.get(link).text
    assert client.get(f"/api/v1/articles/{quote(id, safe='')}").json["id"] == id
    assert client.get(f"/embed/{quote(id, safe='')}").status_code == 200


def test_ids_may_hold_slashes(root, load, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": "2025/08/a b?", "title": "Odd", "text": "An odd identifier."}\n')
    add(root, [str(tmp_path / "x.jsonl")], load)
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    assert client.get("/api/v1/articles/2025%2F08%2Fa%20b%3F").json["title"] == "Odd"
    assert client.get("/article/2025/08/a%20b%3F").status_code == 200


def test_stats_and_health(client):
    assert StatsResponse.model_validate(client.get("/api/v1/stats").json).articles == len(ARTICLES)
    assert client.get("/healthz").json == client.get("/readyz").json == {"status": "ok"}


def test_before_the_index_is_open_the_server_is_alive_but_not_ready(closed_client):
    assert closed_client.get("/healthz").status_code == 200
    for path in ("/readyz", "/api/v1/search?q=x", "/api/v1/stats", "/api/v1/articles/x"):
        response = closed_client.get(path)
        assert error(response, 503).code == "not_ready"
        assert int(response.headers["Retry-After"]) > 0


def test_an_answer_that_is_not_as_promised_is_a_500_and_never_sent(root, load):
    class Wrong:
        def search(self, request):
            return replace(engine.search(request), total="many")

    engine = Engine.open(root, load)
    response = create_app(Wrong, root).test_client().get("/api/v1/search?q=ferry")
    engine.close()
    assert error(response, 500).code == "internal_error"


def test_an_unexpected_failure_is_a_500_without_details(root, load):
    class Broken:
        def search(self, request):
            raise RuntimeError("secret path")

    response = create_app(Broken, root).test_client().get("/api/v1/search?q=x")
    assert "secret" not in error(response, 500).message
