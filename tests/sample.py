"""What tests are made of: an encoder without a model, and a few articles."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.encoder import Matrix, ModelIdentity
from index.terms import analyse

DIMENSION = 64


class FakeEncoder:
    """Embeds a text as the sum of one fixed random direction for each of its stems.

    Texts that share words are near each other, which is all that the tests need of meaning.
    """

    def __init__(self, name: str = "fake", weight_hash: str = "0") -> None:
        self.identity = ModelIdentity(name=name, weight_hash=weight_hash, dimension=DIMENSION)
        self.encoded: list[str] = []

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        self.encoded += texts
        return np.stack([_direction(text) for text in texts]) if texts else np.empty((0, DIMENSION), np.float32)

    def encode_query(self, text: str) -> Matrix:
        return _direction(text)

    def knows(self, word: str) -> bool:
        return False


def _direction(text: str) -> Matrix:
    total = np.zeros(DIMENSION)
    for term in analyse(text):
        seed = int.from_bytes(hashlib.sha256(term.stem.encode()).digest()[:8])
        total += np.random.default_rng(seed).normal(size=DIMENSION) * (0.1 if term.stop_word else 1)
    norm = float(np.linalg.norm(total))
    return (total / norm if norm else np.eye(DIMENSION)[0]).astype(np.float32)


ARTICLES = [
    {
        "id": "ferry", "title": "Ferry runs aground off Gannet Spit", "source": "Coastline Press", "language": "en",
        "published": "2024-09-08", "authors": ["Morag Sillitoe"], "url": "https://coast.example.org/ferry",
        "text": "A passenger ferry ran aground on a sandbank.\n\nNobody was hurt, the coastguard said.",
    },
    {
        "id": "strike", "title": "Ferry crews call off strike", "source": "Harbour Wire", "language": "en-CA",
        "published": "2025-08-20T15:07:00", "authors": ["Corin Adeyale", "Lyra Dunmore"],
        "text": "The union of ferry deckhands has called off its strike.\n\nWages rise by four per cent a year.",
    },
    {
        "id": "budget", "title": "Town council passes budget", "source": "Harbour Wire", "language": "en",
        "published": "2025-01-15", "authors": ["Femi Okonjo"],
        "text": "The council passed a budget with money for roads, libraries and the harbour wall.",
    },
    {
        "id": "pont", "title": "Le pont restera fermé", "source": "La Vigie", "language": "fr",
        "published": "2025-03-04", "authors": ["Maude Thériault"],
        "text": "Le pont de Sainte-Aveline restera fermé jusqu’à l’automne, a annoncé le ministère.",
    },
    {
        "id": "undated", "title": "Lighthouse keeper remembered",
        "text": "Neighbours remember the keeper of the lighthouse, who never missed a night.",
    },
]  # fmt: skip


def write_jsonl(path: Path, records: Sequence[dict]) -> Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return path
