"""The walls of the house: who may import whom, and one room for each heavy library."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("index", "search", "web")
ALLOWED = {"index": {"index"}, "search": {"index", "search"}, "web": {"index", "search", "web"}}
ONLY_IN = {
    "tantivy": "index/terms.py",
    "sqlite3": "index/database.py",
    "trafilatura": "index/extraction/baseline.py",
    "htmldate": "index/extraction/moments.py",
    "py3langid": "index/extraction/language.py",
    "dateparser": "index/dates.py",
    "rapidfuzz": "index/slips.py",
    "urllib3": "index/fetching/client.py",
    "feedparser": "index/fetching/feeds.py",
    "protego": "index/fetching/robots.py",
    "warcio": "index/reading/warc.py",
    "pyarrow": "index/reading/parquet.py",
    "pebble": "index/reading/pool.py",
    "pymilvus": "index/milvus/client.py",
    "ray": "index/distributed/cluster.py",
    "charset_normalizer": "index/reading/decoding.py",
    "brotli": "index/reading/unpacking.py",
    "ir_measures": "search/evaluate.py",
    "granian": "web/serving.py",
    "tokenizers": "index/encoding/runtime.py",
    "flask_compress": "web/delivery.py",
    "mcp": "web/mcp.py",
    "prometheus_client": "web/metrics.py",
    "pythonjsonlogger": "web/logs.py",
    "uvicorn": "web/mcp.py",
}
# One for vectors, one for lists over very many; one for the embeddings, one for the optional cross-encoder; one to run
# an export, two to make it; one that has an application for HTTP made, one that guards it.
ONLY_IN_SOME = {
    "starlette": {"web/mcp.py", "web/mcp_access.py"},
    "faiss": {"index/vectors.py", "index/lists.py"},
    "sentence_transformers": {"index/encoding/original.py", "search/rerank.py"},
    "openvino": {"index/encoding/runtime.py", "index/encoding/export.py", "index/encoding/quantise.py"},
}
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@cache
def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    room = path.relative_to(ROOT).parts[0]
    assert imported(path) & set(ROOMS) <= ALLOWED[room]


@pytest.mark.parametrize(
    ("library", "homes"), [*((library, {home}) for library, home in ONLY_IN.items()), *ONLY_IN_SOME.items()]
)
def test_one_module_knows_each_heavy_library(library, homes):
    users = {str(path.relative_to(ROOT)) for path in FILES if library in imported(path)}
    assert users == homes


def test_help_loads_nothing_heavy():
    heavy = (
        "torch", "openvino", "faiss", "tokenizers", "trafilatura", "tantivy", "numpy", "flask", "pydantic", "mcp",
        "flask_compress", "prometheus_client", "pythonjsonlogger",
        "dateparser", "lxml", "urllib3", "feedparser", "protego", "pyarrow", "warcio", "pebble", "py3langid",
        "pymilvus", "ray",
    )  # fmt: skip
    code = (
        "import sys\nfrom index.command_line import command_line\nfrom web.cli import COMMANDS\n"
        "command_line(COMMANDS).main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rebuild" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[]"


def test_public_names_of_search_are_exactly_these():
    import search

    assert search.__all__ == ["Engine", "Hit", "SearchRequest", "SearchResult", "open_engine"]
    assert all(hasattr(search, name) for name in search.__all__)
