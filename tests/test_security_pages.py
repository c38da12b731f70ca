"""Nothing that an article or a visitor says becomes markup, a header or a way to somewhere else."""

import ast
import csv
import html
import io
import json
import re
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import hostile_news
import pytest
from hostile_news import EVERYTHING, PAYLOAD, PROBE, SHORT, URLS, complaints
from lxml import etree
from sample import FakeEncoder
from werkzeug.test import Client, TestResponse

from index.build import rebuild
from search.engine import Engine
from web.app import create_app
from web.front import Front

EMBEDDED = "/embed/"
CSP = "Content-Security-Policy"
DIRECTIVES = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
    "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    rebuild(folder / "index", [str(hostile_news.write(folder / "news.jsonl"))], lambda name: FakeEncoder())
    engine = Engine.open(folder / "index", lambda name: FakeEncoder())
    front = Front(
        create_app(lambda: engine, folder / "index"), lambda: engine.store.generation,
        threads=1, queue=8, patience=5.0, cache_bytes=1 << 20,
    )  # fmt: skip
    yield Client(front)
    engine.close()


@pytest.fixture(scope="module")
def answers(client):
    return {address: whole(client.get(address)) for address in hostile_news.addresses()}


def whole(answer):
    """An answer that holds on to nothing: exports are made while they are read, and only so many at a time."""
    data = answer.get_data()
    answer.close()
    return TestResponse(iter([data]), answer.status, answer.headers, answer.request)


def of_type(answers, *types):
    return {address: answer for address, answer in answers.items() if answer.mimetype in types}


def test_every_kind_of_answer_is_looked_at(answers):
    usual = (200, 400, 404, 501)
    odd = {address: answer.text for address, answer in answers.items() if answer.status_code not in usual}
    assert not odd
    assert {"text/html", "application/json", "application/atom+xml", "text/csv", "application/jsonl"} <= {
        answer.mimetype for answer in answers.values()
    }
    assert answers[EVERYTHING].text.count("<h2") > len(URLS)


def test_no_payload_becomes_markup(answers):
    pages = of_type(answers, "text/html")
    found = {
        address: wrong for address, answer in pages.items()
        if (wrong := complaints(answer.text, embedded=address.startswith(EMBEDDED)))
    }  # fmt: skip
    assert len(pages) > 100
    assert not found


def test_the_look_for_markup_finds_payloads():
    for text in (PAYLOAD, SHORT, *(f'<a href="{html.escape(url)}" rel="noopener noreferrer">' for url in URLS[:14])):
        assert complaints(text), text


def test_templates_in_a_text_are_not_evaluated(answers):
    shown = answers[EVERYTHING].text
    for written in ("{{ 7*7 }}", "{% raw %}", "${7*7}", "#{7*7}"):
        assert written in shown


@pytest.mark.parametrize("answer_type", ["application/atom+xml", "application/opensearchdescription+xml"])
def test_feeds_are_well_formed_and_hold_only_safe_links(answers, answer_type):
    found = of_type(answers, answer_type)
    assert found
    for address, answer in found.items():
        tree = etree.fromstring(answer.data)
        assert not list(tree.iter(f"{{*}}{PROBE}", "{*}script")), address
        for element in tree.iter(etree.Element):
            for name in ("href", "template", "src", "uri"):
                assert hostile_news.leads_somewhere_safe(element.get(name, "/")), (address, element.get(name))
            if element.get("type") == "html":  # what a reader takes for HTML
                assert not complaints(element.text), address
                assert {tag for tag, _ in hostile_news.Elements(element.text).found} <= {"p", "b"}


def test_oembed_gives_one_frame_and_nothing_else(answers):
    for address, answer in answers.items():
        if address.startswith("/oembed?url=") and answer.status_code == 200:
            elements = hostile_news.Elements(answer.json["html"])
            [(tag, attributes)] = elements.found
            assert tag == "iframe"
            assert attributes["src"].startswith("http://localhost/embed/")
            assert "allow-scripts" not in attributes["sandbox"]


def test_rows_of_a_table_stay_rows_and_calculate_nothing(answers):
    for address, answer in of_type(answers, "text/csv").items():
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
        assert {len(row) for row in rows} == {len(rows[0])}, address
        for cell in (cell for row in rows for cell in row):
            assert not cell.lstrip().startswith(("=", "+", "@", "\t", "\r", "＝", "＋", "－", "＠")), cell
            assert not cell.startswith("-") or re.fullmatch(r"-[\d.]+", cell), cell


def test_lines_of_json_stay_lines(answers):
    for answer in of_type(answers, "application/jsonl").values():
        for line in answer.data.splitlines():
            json.loads(line)


# Headers


def test_no_answer_lets_a_browser_guess_run_or_tell(answers):
    for address, answer in answers.items():
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", address
        assert headers["Referrer-Policy"] == "no-referrer", address
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", address
        assert "camera=()" in headers["Permissions-Policy"], address
        assert headers["Content-Type"].partition(";")[0], address
        policy = dict(part.split(None, 1) for part in headers["Content-Security-Policy"].split("; "))
        assert "unsafe" not in headers["Content-Security-Policy"]
        if address.startswith(EMBEDDED):
            assert policy.pop("style-src").startswith("'sha256-")
            assert policy == {
                "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "*"
            }  # fmt: skip
            assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        else:
            assert {name: policy[name] for name in DIRECTIVES} == DIRECTIVES
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_answer_is_kept_by_what_serves_others(answers, client):
    for address, answer in answers.items():
        said = answer.headers["Cache-Control"]
        assert "private" in said or "no-store" in said, address
    for method, address in (("POST", "/api/v1/search"), ("GET", "/metrics"), ("PUT", "/"), ("GET", "/static/none.css")):
        said = client.open(address, method=method, json={"q": "zeppelin"}).headers["Cache-Control"]
        assert "private" in said or "no-store" in said, address
    assert client.get("/static/style.css").headers["Cache-Control"].startswith("public")


def test_no_header_is_made_of_what_was_sent(answers):
    for address, answer in answers.items():
        for name, value in answer.headers:
            assert not {"<", ">", "'"} & set(value.replace("'self'", "").replace("'none'", "")) or name == CSP, address
            assert not {"\r", "\n"} & set(value), (address, name)
        assert "X-Injected" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("address", [
    "/article/%0d%0aX-Injected:%201", "/embed/a%0d%0aX-Injected:1", "/export.csv?q=%0d%0aX-Injected:1%22;x",
    "/%0d%0aX-Injected:1", "/feed.atom?q=a%0d%0aX-Injected:1", "/static/%0d%0aX-Injected:1",
    "/api/v1/articles/%E5%98%8A%E5%98%8DX-Injected:1",
])  # fmt: skip
def test_line_ends_in_an_address_end_no_header(client, address):
    answer = client.get(
        address, headers={"X-Request-ID": "a\u010d\u010aX-Injected: 1", "Origin": "http://evil.example"}
    )
    assert "X-Injected" not in answer.headers
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    for _, value in answer.headers:
        assert not {"\r", "\n"} & set(value)


def test_nothing_redirects(answers, client):
    assert not [address for address, answer in answers.items() if "Location" in answer.headers]
    for address in (
        "//evil.example", "//evil.example/..", "/\\evil.example", "/%2f%2fevil.example", "/.//evil.example", "/article",
        "/api", "/static", "/?next=//evil.example", "/compare/", "/feed.atom/", "/http://evil.example/",
    ):  # fmt: skip
        answer = client.get(address)
        assert answer.status_code in (200, 404), address
        assert "Location" not in answer.headers


# Names and addresses that others send


FORWARDED = {
    "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1",
    "Forwarded": "host=evil.example", "X-Original-URL": "/metrics", "X-Rewrite-URL": "/metrics",
    "X-HTTP-Method-Override": "DELETE", "X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Server": "evil.example",
}  # fmt: skip
NAMED = ("/article/url%200?q=zeppelin", "/feed.atom?q=zeppelin", "/opensearch.xml", "/api/docs", "/?q=zeppelin",
         "/oembed?url=http://localhost/article/url%200", "/embed/url%200", "/api/v1/search?q=zeppelin")  # fmt: skip


@pytest.mark.parametrize("address", NAMED)
def test_headers_of_a_proxy_change_nothing_where_there_is_none(client, address):
    def told(answer):
        return re.sub(r"[\d.]+ ?ms|\"took_ms\":[\d.]+", "", answer.text)

    plain = client.get(address)
    assert told(client.get(address, headers=FORWARDED)) == told(plain)


@pytest.mark.parametrize("address", NAMED)
def test_one_visitors_name_for_the_server_is_not_told_to_another(client, address):
    """The memory of answers, and shared caches that go by what they are told."""
    client.get(address, headers={"Host": "evil.example"})
    answer = client.get(address)
    for place in ('"http://evil.example', "http://evil.example/embed", "http://evil.example/?"):
        assert place not in answer.text


@pytest.mark.parametrize(
    "host", [f'a"{PROBE}="1', "a<script>", "a'onload='x", "a/..//b", "a b", "a\\b", "[", "@", "a:b:c"]
)
def test_any_name_for_the_server_stays_text(client, host):
    for address in ("/article/url%200", "/feed.atom?q=zeppelin", "/opensearch.xml", "/api/docs"):
        answer = client.get(address, headers={"Host": host})
        assert answer.status_code in (200, 400), (address, host)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.mimetype == "text/html":  # what is no name is left out, and leads browsers to where they are
            assert not [wrong for wrong in complaints(answer.text) if "'http:/article/" not in wrong]
        elif answer.mimetype.endswith("xml"):
            etree.fromstring(answer.data)


# Nothing can be changed from outside


def test_only_reading_methods_exist(client):
    app = client.application._app
    for rule in app.url_map.iter_rules():
        assert rule.methods <= {"GET", "HEAD", "OPTIONS", "POST"}
        assert "POST" not in rule.methods or rule.rule == "/api/v1/search"


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_cannot_post(client, type):
    assert client.post("/api/v1/search", data='{"q": "zeppelin"}', content_type=type).status_code == 415


# Paths


@pytest.mark.parametrize("path", [
    "../app.py", "..%2fapp.py", "%2e%2e/app.py", "%2e%2e%2fapp.py", "%252e%252e%252fapp.py", "..\\app.py",
    "..%5capp.py", "....//app.py", "/etc/passwd", "%2fetc%2fpasswd", "style.css%00.js", "style.css/../../app.py",
    "..;/app.py", "%c0%ae%c0%ae/app.py", "file:///etc/passwd", "~root/.bashrc", ".", "..", "%ff",
])  # fmt: skip
def test_no_path_leads_out_of_the_static_folder(client, path):
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "create_app" not in answer.text


@pytest.mark.parametrize("id", ["../../etc/passwd", "a\\..\\b", "//evil.example/a", "a?b#c&d=e%2e%2e/f"])
def test_ids_with_dots_and_slashes_are_names_and_no_paths(client, id):
    for path in ("/article/", "/embed/", "/api/v1/articles/"):
        answer = client.get(path + quote(id, safe=""))
        assert answer.status_code == 200
        assert "zeppelin" in answer.text.lower()
    assert client.get("/article/" + quote(f"../{id}", safe="")).status_code == 404


# The server asks nobody


ASKING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
watched: list[str] | None = None


def watch(event, arguments):
    if watched is not None and event in ASKING:
        watched.append(f"{event} {arguments[1:]}")


sys.addaudithook(watch)  # it cannot be taken off again, so it looks only while somebody wants it to


@pytest.fixture
def attempts():
    global watched  # noqa: PLW0603 - what the hook looks at
    watched = []
    yield watched
    watched = None


def test_no_page_makes_the_server_open_a_connection(client, attempts):
    application = client.application._app.test_client()
    for address in [*hostile_news.addresses()][::5]:
        whole(application.get(address))
    for address in ("/oembed?url=http://127.0.0.1:9/article/x", "/?q=http://127.0.0.1:9/a", "/?q=source:http://[::1]/"):
        application.get(address)
    assert attempts == []


def test_the_watch_sees_connections(attempts):
    with pytest.raises(OSError), socket.socket() as one:
        one.connect(("127.0.0.1", 9))
    assert len(attempts) == 1


def test_what_serves_has_nothing_to_fetch_with():
    clients = {"urllib.request", "http.client", "urllib3", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "socks"}
    for room in ("search", "web"):
        for path in sorted((Path(__file__).parent.parent / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
                names |= {node.module} if isinstance(node, ast.ImportFrom) else set()
                assert not names & clients, path
                assert not {name for name in names if name and name.startswith("index.fetching")}, path
