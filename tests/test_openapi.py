"""The description of the API: valid, complete, and good enough for a generator to make a client of."""

import importlib
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from sample import ARTICLES
from werkzeug.serving import make_server

from search.engine import Engine
from web import examples
from web.app import create_app
from web.openapi import openapi_document
from web.schemas import (
    ArticleResponse,
    ErrorResponse,
    SearchResponse,
    SimilarResponse,
    StatsResponse,
    SuggestResponse,
)

DOCUMENT = openapi_document()
OPERATIONS = [
    pytest.param(path, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
]


def test_it_is_valid():
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_it_describes_every_address_that_is_served(root, load):
    engine = Engine.open(root, load)
    app = create_app(lambda: engine, root)
    served = {
        (rule.rule.replace("<id:", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    engine.close()
    assert served == {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_operation_has_a_name_a_meaning_and_its_errors(path, operation):
    assert operation["operationId"].isidentifier()
    assert operation["summary"][0].isupper()
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert "null" not in json.dumps(parameter["schema"].get("type"))
    statuses = set(operation["responses"])
    if "security" not in operation:  # it may need a key
        assert {"401", "403", "429", "503"} <= statuses
    assert ("304" in statuses) == any(one["name"] == "If-None-Match" for one in operation.get("parameters", ()))


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("shape", "example"),
    [
        (SearchResponse, examples.SEARCH),
        (ArticleResponse, examples.WHOLE_ARTICLE),
        (SimilarResponse, examples.SIMILAR),
        (SuggestResponse, examples.SUGGESTIONS),
        (StatsResponse, examples.STATS),
        (ErrorResponse, examples.ERROR),
    ],
)
def test_examples_are_what_they_show(shape, example):
    shape.model_validate(example)
    schema = {"$ref": f"#/components/schemas/{shape.__name__}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(example)


@pytest.fixture
def address(root, load):
    """Where the application is served by a thread."""
    engine = Engine.open(root, load)
    server = make_server("127.0.0.1", 0, create_app(lambda: engine, root), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    engine.close()


@pytest.fixture
def client_package(tmp_path, monkeypatch):
    """A client that a generator has made of the description, imported under the name `dateline_client`."""
    tool = shutil.which("openapi-python-client", path=str(Path(sys.executable).parent))
    if not tool:
        pytest.skip("openapi-python-client is not installed")
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT), "utf-8")
    (tmp_path / "config.json").write_text('{"post_hooks": []}')
    done = subprocess.run(
        [tool, "generate", "--path", "openapi.json", "--config", "config.json", "--meta", "none",
         "--output-path", str(tmp_path / "dateline_client")],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/api/v1/" not in done.stdout + done.stderr, "it complains of the API"
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("dateline_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "dateline_client"]:
        del sys.modules[name]


def test_a_generated_client_works(client_package, address):
    def called(name):
        return importlib.import_module(f"dateline_client.api.{name}").sync

    with client_package.Client(base_url=address, raise_on_unexpected_status=True) as client:
        found = called("search.search")(
            client=client, q="ferry strike wages", size=2, source=["Harbour Wire", "Coastline Press"], explain=True
        )
        best = found.results[0]
        assert (best.article.id, best.article.source, found.total_relation.value) == ("strike", "Harbour Wire", "eq")
        assert best.article.url is None
        assert best.signals["dense"] > 0
        start, end = best.passage.best_sentence
        assert best.passage.text[start:end]
        rest = called("search.search")(client=client, q="ferry", size=1)
        more = called("search.search")(client=client, q="ferry", size=1, cursor=rest.next_cursor)
        assert [one.rank for one in more.results] == [2]

        posted = client_package.models.SearchParameters.from_dict({"q": "ferry strike wages", "size": 2})
        assert called("search.search_posted")(client=client, body=posted).results[0].article.id == "strike"
        assert called("search.suggest")(client=client, q="harb").suggestions[0].text == "Harbour Wire"
        article = called("articles.get_article")("strike", client=client)
        assert (article.text, article.next_offset) == (ARTICLES[1]["text"], None)
        assert called("articles.get_similar")("strike", client=client, size=1).similar[0].id == "ferry"
        assert called("corpus.get_stats")(client=client).articles == len(ARTICLES)
        missing = called("articles.get_article")("nobody", client=client)
        assert missing.error.code == "not_found"
        wrong = called("search.search")(client=client, q="-ferry")
        assert (wrong.error.code, wrong.error.field) == ("bad_query", "q")


def test_the_page_for_people_has_every_parameter_and_field_and_its_links_lead_somewhere(root, load):
    engine = Engine.open(root, load)
    page = create_app(lambda: engine, root).test_client().get("/api/docs").text
    engine.close()
    places, links = re.findall(r' id="([^"]+)"', page), re.findall(r'href="#([^"]+)"', page)
    assert len(places) == len(set(places))
    assert set(links) <= set(places)
    names = [name for schema in DOCUMENT["components"]["schemas"].values() for name in schema["properties"]]
    names += [
        one["name"]
        for path, methods in DOCUMENT["paths"].items()
        if path.startswith("/api/v1/")
        for operation in methods.values()
        for one in operation.get("parameters", ())
        if one["in"] != "header"
    ]
    for name in names:
        assert f"<code>{name}</code>" in page, name
    for path in DOCUMENT["paths"]:
        assert path in page
