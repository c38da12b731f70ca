"""The tools for language models, called by the SDK's own client."""

import asyncio
import sys
from unittest.mock import AsyncMock

import pytest
from sample import ARTICLES

from index.errors import DatelineError
from search.engine import Engine
from web.keys import KeyRing, add_key, keys_of
from web.live import NotReady

pytest.importorskip("mcp")

from mcp import Client
from starlette.testclient import TestClient

from web.mcp import PATH, http_app, mcp_server
from web.mcp_access import guarded
from web.rates import Rates

HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip
JSON = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def server(root, load):
    engine = Engine.open(root, load)
    yield mcp_server(lambda: engine)
    engine.close()


@pytest.fixture
def call(server):
    """Calls a tool and returns its data and its text; of a failure, the text."""

    def run(tool, **arguments):
        async def ask():
            async with Client(server) as client:
                return await client.call_tool(tool, arguments)

        reply = asyncio.run(ask())
        [content] = reply.content
        return content.text if reply.is_error else (reply.structured_content, content.text)

    return run


def test_every_tool_says_that_it_only_reads_and_what_it_answers(server):
    async def ask():
        async with Client(server) as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = asyncio.run(ask())
    assert "citation" in instructions
    assert [tool.name for tool in tools] == ["search_news", "get_article", "similar_articles", "corpus_stats"]
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert not tool.annotations.open_world_hint
        assert tool.description
        assert tool.output_schema["properties"]
        assert all(field.get("description") for field in tool.input_schema["properties"].values())


def test_news_are_found_with_their_origin(call):
    found, text = call("search_news", query="ferry strike wages", sources=["Harbour Wire"], to_date="2025-12-31")
    best = found["results"][0]
    assert (best["article_id"], best["source"], best["matches"]) == ("strike", "Harbour Wire", True)
    assert best["authors"] == ["Corin Adeyale", "Lyra Dunmore"]
    assert best["best_sentence"] in best["text"]
    assert found["next_cursor"] is None
    for said in (best["citation"], best["text"], "Harbour Wire · 2025-08-20"):
        assert said in text


def test_a_cursor_goes_on_where_the_reply_ended(call):
    whole, _ = call("search_news", query="ferry")
    pages, cursor = [], None
    for _ in whole["results"]:
        page, text = call("search_news", query="ferry", size=1, cursor=cursor)
        pages += page["results"]
        cursor = page["next_cursor"]
        assert cursor is None or cursor in text
    assert cursor is None
    assert [one["citation"] for one in pages] == [one["citation"] for one in whole["results"]]
    assert "another search" in call("search_news", query="budget", cursor=page["next_cursor"] or _cursor(call))


def _cursor(call):
    return call("search_news", query="ferry", size=1)[0]["next_cursor"]


def test_a_citation_leads_back_to_its_passage(call):
    best = call("search_news", query="ferry strike wages")[0]["results"][0]
    found, text = call("get_article", id=best["citation"])
    assert found["text"].startswith(best["text"])
    assert found["article_id"] == best["article_id"]
    assert best["text"] in text
    assert call("similar_articles", id=best["citation"])[0]["articles"][0]["article_id"] == "ferry"


def test_a_reply_is_bounded_and_says_how_to_go_on(root, load, tmp_path):
    from sample import write_jsonl

    from index.build import add

    long = " ".join(f"Sentence {number} tells of the zeppelin at some length." for number in range(400))
    add(root, [str(write_jsonl(tmp_path / "x.jsonl", [{"id": "long", "title": "Zeppelin", "text": long}]))], load)
    engine = Engine.open(root, load)

    async def ask():
        async with Client(mcp_server(lambda: engine)) as client:
            search = await client.call_tool("search_news", {"query": "zeppelin", "size": 20, "max_chars": 300})
            told, offset = "", 0
            while offset is not None:
                part = await client.call_tool("get_article", {"id": "long", "offset": offset, "max_chars": 5000})
                assert len(part.content[0].text) < 5_400
                told += part.structured_content["text"]
                offset = part.structured_content["next_offset"]
            return search, told

    search, told = asyncio.run(ask())
    engine.close()
    assert told == long
    assert sum(len(one["text"]) for one in search.structured_content["results"]) <= 300
    assert search.structured_content["next_cursor"]
    assert len(search.content[0].text) < 1_000


def test_what_the_corpus_holds(call):
    stats, text = call("corpus_stats")
    assert stats["articles"] == len(ARTICLES)
    assert (stats["first_day"], stats["last_day"]) == ("2024-09-08", "2025-08-20")
    assert "Harbour Wire (2)" in text


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search_news", {"query": ""}, "empty"),
        ("search_news", {"query": "x", "from_date": "yesterday"}, "2025-08-20"),
        ("search_news", {"query": "x", "cursor": "AAAA"}, "next_cursor"),
        ("search_news", {"query": "x", "size": 500}, "size"),
        ("get_article", {"id": "nobody"}, "search_news"),
        ("get_article", {"id": "strike:0-9999"}, "changed"),
        ("get_article", {"id": "strike", "offset": 9999}, "characters"),
        ("similar_articles", {"id": "nobody:0-5"}, "search_news"),
    ],
)
def test_errors_say_what_to_do(call, tool, arguments, said):
    assert said in call(tool, **arguments)


def test_before_the_index_is_open_every_tool_says_so(tmp_path):
    def engine():
        raise NotReady("The index is being opened. Try again in a moment.")

    async def ask():
        async with Client(mcp_server(engine)) as client:
            for tool, arguments in (
                ("corpus_stats", {}),
                ("search_news", {"query": "x"}),
                ("get_article", {"id": "x"}),
            ):
                reply = await client.call_tool(tool, arguments)
                assert reply.is_error
                assert "Try again" in reply.content[0].text

    asyncio.run(ask())


def test_over_http_only_known_hosts_and_origins_are_answered(server, root):
    with TestClient(
        http_app(server, "127.0.0.1", (), keys_of(root)), base_url="http://localhost:8001", headers=JSON
    ) as client:
        answer = client.post(PATH, json=HELLO)
        assert answer.status_code == 200
        assert answer.json()["result"]["serverInfo"]["name"] == "dateline"
        assert client.post(PATH, json=HELLO, headers={"Host": "evil.example:8001"}).status_code == 421
        assert client.post(PATH, json=HELLO, headers={"Origin": "http://evil.example"}).status_code == 403


def test_elsewhere_it_asks_for_a_key(server, root):
    keys = keys_of(root)
    reader, exporter = add_key(keys, "reader", ("read",)), add_key(keys, "exporter", ("export",))
    app = http_app(server, "0.0.0.0", ("news.example.org",), keys)
    with TestClient(app, base_url="https://news.example.org", headers=JSON) as client:
        for shown, status in (
            ({}, 401),
            ({"Authorization": "Bearer guess"}, 401),
            ({"Authorization": f"Bearer {exporter}"}, 401),
            ({"X-API-Key": reader}, 200),
            ({"Authorization": f"Bearer {reader}"}, 200),
        ):
            assert client.post(PATH, json=HELLO, headers=shown).status_code == status, shown


def test_a_key_may_ask_as_often_as_it_says_and_nobody_may_try_keys_without_end(server, root):
    keys = keys_of(root)
    slow, quick = add_key(keys, "slow", ("read",), 1), add_key(keys, "quick", ("read",))
    app = http_app(server, "0.0.0.0", ("news.example.org",), keys)
    with TestClient(app, base_url="https://news.example.org", headers=JSON) as client:
        answers = [client.post(PATH, json=HELLO, headers={"X-API-Key": slow}) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        guesses = [client.post(PATH, json=HELLO, headers={"X-API-Key": f"guess {at}"}) for at in range(60)]
        assert {answer.status_code for answer in guesses[:40]} == {401}
        assert guesses[-1].status_code == 429
        assert client.post(PATH, json=HELLO, headers={"X-API-Key": quick}).status_code == 200


def test_as_many_calls_as_are_answered_at_once_have_keys(root):
    secret = add_key(keys_of(root), "reader", ("read",))

    async def statuses():
        going_on = asyncio.Event()

        async def slow(scope, receive, send):
            await going_on.wait()
            await send({"type": "http.response.start", "status": 200})

        app = guarded(slow, KeyRing(keys_of(root)), Rates(None, "salt"), most=2)

        async def call(shown):
            told = []
            headers = [(b"x-api-key", shown.encode())]
            send = AsyncMock(side_effect=lambda message: told.append(message.get("status")))
            await app({"type": "http", "headers": headers, "client": ("192.0.2.1", 1)}, AsyncMock(), send)
            return told[0]

        waiting = [asyncio.create_task(call(secret)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = [await call("guess"), await call(secret)]
        going_on.set()
        return refused, await asyncio.gather(*waiting), await call(secret)

    assert asyncio.run(statuses()) == ([401, 503], [200, 200], 200)


def test_without_the_extra_package_one_line_says_what_to_install(monkeypatch, root):
    from click.testing import CliRunner

    from web.cli import mcp

    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "web.mcp")
    monkeypatch.delitem(sys.modules, "mcp.server")
    failed = CliRunner().invoke(mcp, ["--index", str(root)])
    assert isinstance(failed.exception, DatelineError)
    assert "dateline[mcp]" in str(failed.exception)


def test_a_citation_with_endless_numbers_is_none(call):
    assert "No article has the id" in call("get_article", id=f"ferry:{'9' * 5_000}-1")
