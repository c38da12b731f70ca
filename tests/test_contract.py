"""The server held to its own description: requests that Schemathesis generates, sensible and senseless ones.

`DATELINE_REQUESTS=6000 pytest tests/test_contract.py` asks more than the usual few hundred.
"""

import os
from itertools import product

import pytest
from fronts import client
from hypothesis import HealthCheck, given, settings
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.build import rebuild
from search.engine import Engine
from web.access import Access
from web.app import create_app
from web.front import Front
from web.keys import KeyRing
from web.openapi import openapi_document

pytest.importorskip("schemathesis")

import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

REQUESTS = int(os.environ.get("DATELINE_REQUESTS", "600"))
CHECKS = [
    status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance,
]  # fmt: skip
PATHS, COMPONENTS = openapi_document()["paths"], openapi_document()["components"]
OPERATIONS = [(path, method) for path, methods in PATHS.items() for method in methods]


def can_be_asked_wrongly(path: str, method: str) -> bool:
    operation = PATHS[path][method]
    return "requestBody" in operation or any(one["in"] == "query" for one in operation.get("parameters", ()))


WRONGLY = [operation for operation in OPERATIONS if can_be_asked_wrongly(*operation)]
QUESTIONS = [*product(OPERATIONS, [GenerationMode.POSITIVE]), *product(WRONGLY, [GenerationMode.NEGATIVE])]
EACH = max(1, REQUESTS // (2 * len(WRONGLY)))


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder, encoder = tmp_path_factory.mktemp("contract"), FakeEncoder()
    rebuild(folder / "index", [str(write_jsonl(folder / "a.jsonl", ARTICLES))], lambda name, **_: encoder)
    engine = Engine.open(folder / "index", lambda name, **_: encoder)
    front = Front(
        create_app(lambda: engine, folder / "index"), lambda: engine.store.generation, threads=1, queue=8,
        patience=30.0, cache_bytes=1 << 20,
    )  # fmt: skip
    asked = []

    def served(environ, start_response):
        asked.append(environ["PATH_INFO"])
        environ.pop("HTTP_ACCEPT_ENCODING", None)  # nobody would unpack it here
        return front(environ, start_response)

    yield schemathesis.openapi.from_wsgi("/api/openapi.json", served)
    print(f"{len(asked)} requests")
    engine.close()


@pytest.mark.parametrize(("operation", "mode"), QUESTIONS, ids=str)
def test_every_answer_is_as_described(described, operation, mode):
    path, method = operation
    # oEmbed wants a 501 for formats that are not there; it is described, as any other status has to be.
    checks = CHECKS if path == "/oembed" else [not_a_server_error, *CHECKS]
    strategy = described[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=EACH, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def ask(case):
        case.call_and_validate(checks=checks)

    ask()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_who_needs_a_key_is_as_described(tmp_path, path, method):
    operation = PATHS[path][method]
    server = client(tmp_path, lambda refuse: Access(KeyRing(tmp_path / "keys.json"), refuse, needed=True))
    answer = server.open(path.replace("{id}", "x"), method=method.upper())
    if "security" in operation:
        assert answer.status_code != 401
        return
    assert answer.status_code == 401
    described = operation["responses"]["401"]
    described = COMPONENTS["responses"][described["$ref"].rsplit("/")[-1]] if "$ref" in described else described
    assert answer.mimetype in described["content"]
    assert "WWW-Authenticate" in answer.headers
