"""The articles of the contract tests: all that filters can ask for, and all that makes trouble."""

import random
from collections.abc import Sequence
from pathlib import Path

from sample import FakeEncoder, write_jsonl

from index.build import rebuild
from index.passages import PassageSettings

WORDS = ["ferry", "harbour", "strike", "whale", "budget", "été", "l’automne", "crews", "peace-keeping", "council"]
DAYS = ["2024-02-29", "2024-03-01", "2025-01-15"]
SOURCES = ["Harbour Wire", "Coastline Press", "LA VIGIE", "harbour.example"]
AUTHORS = ["Ann Öst", "Bo", "Cy"]
LANGUAGES = ["en", "en-CA", "EN_us", "fr", "eng"]
HOSTS = ["harbour.example", "news.harbour.example", "notharbour.example", "coast.example.org"]
SHORT_PASSAGES = PassageSettings(7, 9, 1)
"""So that a few articles have several passages each."""

_SYLLABLES = "har bour coun cil fer ry pi lot en gi fish may or u ni mu or chard gla cier tram light".split()
_INVENTED = [first + second for first in _SYLLABLES for second in _SYLLABLES]


def _record(at: int) -> dict:
    pick = random.Random(at)
    host = pick.choice([None, *HOSTS])
    return {
        "id": str(at), "title": f"{pick.choice(WORDS)} {pick.choice(WORDS)}",
        "published": pick.choice([None, *DAYS, "2024-03-01T23:30:00-05:00"]),
        "text": "\n\n".join(" ".join(pick.choices(WORDS, k=7)) + "." for _ in range(pick.randint(1, 4))),
        "source": pick.choice([None, *SOURCES]), "language": pick.choice([None, *LANGUAGES]),
        "authors": pick.sample(AUTHORS, pick.randint(0, 2)),
        "url": host and f"https://{host}/news/{at}", "section": pick.choice([None, "World"]),
        "summary": pick.choice([None, "In short."]), "price": at,
    }  # fmt: skip


def _story(id: str, sentences: int, published: str, source: str) -> dict:
    """One of several copies of a story in invented words, which nothing else shares a run of words with."""
    chance = random.Random(1)
    text = [" ".join(chance.choices(_INVENTED, k=12)).capitalize() + "." for _ in range(sentences)]
    return {"id": id, "title": f"Headline of {id}", "text": "\n\n".join(text), "published": published, "source": source}


ARTICLES = [
    *(_record(at) for at in range(60)),
    _story("wire", 24, "2025-08-20T10:00:00", "Harbour Wire"),
    _story("reprint", 24, "2025-08-20T12:00:00", "Coastline Press"),
    _story("trimmed", 14, "2025-08-20T09:00:00", "LA VIGIE"),
]
MORE = [
    {"id": "new", "title": "Zeppelin over harbour", "text": "A zeppelin landed.", "source": "Air Mail",
     "authors": ["Dee"], "language": "de", "published": "2026-02-03"},
    {**_record(1), "text": "The whale came back as another text.", "title": "Another version"},
]  # fmt: skip
"""What is added later: an article whose names are all new, and another version of one that is there."""

INJECTIONS = [
    '" or number > 0 or "', "' or number > 0 or '", '\\" or number >= 0 or \\"', '"] or number in [1, 2', "%", "_",
    "\\", '"', "'", "\n", "\0", "{}", "{name}", "%s", "🦀", "", " ", "number", "Wire\\", 'Wire"', "x" * 70_000,
]  # fmt: skip
"""Filter values that try to be more than values."""

_LONG = 70_000
"""More bytes than the 65,535 that a text field of Milvus holds."""

NASTY = [
    {"id": 'quo"ted', "title": 'He said "no" \\ and it\'s \'so\' {now} 100 % %s', "text": 'A "quoted" text.\n\nAnd \\.',
     "source": 'The "Daily" \\ Wire\\', "authors": ['O\'Brien "Bo"', "back\\slash"], "language": "en"},
    {"id": "it's", "title": "Apostrophe", "text": "An apostrophe’s text.", "source": "Wire'", "authors": []},
    {"id": "back\\slash\\", "title": "\\", "text": "Text with \\n that is no line end.", "source": "Wire\\"},
    {"id": '" or number > 0 or "', "title": "Injection", "text": "An id that would be a filter.", "source": "%"},
    {"id": "100%_wild", "title": "Wild % and _", "text": "Signs that stand for others elsewhere.", "source": "_"},
    {"id": "1000_wild", "title": "Not wild", "text": "Another id that a wild card would find.", "source": "ab"},
    {"id": "🦀 emoji", "title": "🦀🦀 beyond the basic plane 👩‍👩‍👧",
     "text": "Crabs 🦀 walk.\n\n🦀", "source": "🦀 Wire"},
    {"id": "nul", "title": "Nul\0title", "text": "A nul\0 in it.", "source": "Wire\0", "authors": ["\0"]},
    {"id": "lines", "title": "One\nline\ttab",
     "text": "First line\nsecond line.\r\n\r\n\r\nThird\u2028fourth\x85fifth."},
    {"id": "rtl", "title": "שלום עולם", "text": "خبر عاجل من الميناء.", "language": "he"},
    {"id": "marks", "title": "!!!", "text": "— … — !!!"},
    {"id": "long title", "title": "Ferry " + "très long " * (_LONG // 10), "text": "Short text under a long title."},
    {"id": "long text", "title": "Long text", "text": "Une phrase à propos de la grève. " * (_LONG // 30)},
    {"id": "cjk", "title": "港口新闻", "text": "渡轮在沙洲搁浅。" * (_LONG // 20)},
    {"id": "one word", "title": "One word", "text": "x" * _LONG},
    {"id": "emoji text", "title": "Crabs only", "text": "🦀" * (_LONG // 3)},
    {"id": "i" * 3_000, "title": "Long id", "text": "An id of three thousand letters.", "source": "s" * 3_000},
    {"id": "authors", "title": "Many authors", "text": "Written by many.",
     "authors": [f"Author {n}" for n in range(300)]},
    {"id": "extra", "title": "Extra", "text": "With more beside it.", "deep": {"a": [1, None, {"b": "é\\\"'"}]},
     "blob": "y" * _LONG, "summary": "z" * _LONG, "section": "/".join(["s"] * 100)},
    {"id": "early", "title": "Earliest day", "text": "A day long ago.", "published": "0001-01-01"},
    {"id": "late", "title": "Last day", "text": "A day to come.", "published": "9999-12-31"},
]  # fmt: skip


def build(root: Path, records: Sequence[dict], settings: PassageSettings | None = None) -> Path:
    """An index of these records at `root`, which may be there already; with the encoder that needs no model."""
    corpus = write_jsonl(root.with_suffix(".jsonl"), records)
    rebuild(root, [str(corpus)], lambda name: FakeEncoder(), settings=settings)
    return root
