"""What the tests share: small real indexes, filled by an encoder without a model."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.build import rebuild


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def load(encoder: FakeEncoder) -> Callable[[str | None], FakeEncoder]:
    """What `load_encoder` is to the real program."""
    return lambda name, **options: encoder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A JSONL file of five articles."""
    return write_jsonl(tmp_path / "articles.jsonl", ARTICLES)


@pytest.fixture
def root(tmp_path: Path, corpus: Path, load: Callable) -> Path:
    """A built index of these articles."""
    rebuild(tmp_path / "index", [str(corpus)], load)
    return tmp_path / "index"
