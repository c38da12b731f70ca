"""`dateline mcp` as a process, spoken to by the official SDK over standard input and output, and over HTTP."""

import asyncio
import socket
import subprocess
import sys

import pytest
from conftest import PROJECT

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

QUESTION = {"query": "Canada peacekeeping logistics", "size": 5, "max_chars": 2000}


async def converse(client):
    """All tools, one after the other, as a model would call them."""
    assert len((await client.list_tools()).tools) == 4
    stats = await client.call_tool("corpus_stats", {})
    assert stats.structured_content["articles"] == 71
    reply = await client.call_tool("search_news", QUESTION)
    found = reply.structured_content
    best = found["results"][0]
    assert best["best_sentence"].startswith("Canada would most likely help with logistics")
    assert sum(len(one["text"]) for one in found["results"]) <= 2000
    assert best["citation"] in reply.content[0].text
    more = await client.call_tool("search_news", QUESTION | {"cursor": found["next_cursor"]})
    citations = [one["citation"] for one in found["results"] + more.structured_content["results"]]
    assert len(set(citations)) == len(citations)
    cited = await client.call_tool("get_article", {"id": best["citation"], "max_chars": 1000})
    assert cited.structured_content["text"].startswith(best["text"][:200])
    near = await client.call_tool("similar_articles", {"id": best["article_id"], "size": 3})
    assert len(near.structured_content["articles"]) == 3
    wrong = await client.call_tool("get_article", {"id": "nobody"})
    assert wrong.is_error
    assert "search_news" in wrong.content[0].text


def test_over_standard_input_and_output(seeds_index):
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "web", "mcp", "--index", str(seeds_index)], cwd=PROJECT
    )

    async def run():
        async with Client(parameters) as client:
            await converse(client)

    asyncio.run(run())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_over_http(seeds_index):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "web", "mcp", "--http", "--port", str(port), "--index", str(seeds_index)],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert f"http://127.0.0.1:{port}/mcp" in process.stderr.readline()

        async def run():
            async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                await converse(client)

        asyncio.run(run())
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=20)
    assert out == ""


def test_a_port_that_is_taken_is_one_line_on_stderr(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "web", "mcp", "--http", "--port", port, "--index", str(tmp_path)],
            cwd=PROJECT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
