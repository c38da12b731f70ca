"""Looks for the slowest queries: the shapes that are known, and what hill climbing on processor time makes of them.

Run as: python tests/faults/slow_queries.py [--passages 20000] [--steps 300] [--seed 7] [--index DIR]

The index is synthetic: words in the frequencies of news, and an encoder without a model, so that what is timed is
everything about a search but the embedding. Prints each shape with its milliseconds of processor time, the slowest
query that was found, and a JSON line; exits with 1 where a query takes a second.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from sample import FakeEncoder, write_jsonl

from index.build import rebuild
from index.errors import QueryError
from search.engine import Engine
from search.query import MAX_QUERY_CHARACTERS, SearchRequest

MOST_SECONDS = 1.0
_SYLLABLES = "ba ce di fo gu ha ki lo mu ne pa ri so tu va we xi yo zu ar en il om un ster ing tion".split()
_VOCABULARY, _ARTICLE_WORDS, _SENTENCE_WORDS = 30_000, 120, 12
_SOURCES = 40
_TRIES = 3
_OPERATORS = (
    '"{} {}"', '-"{} {}"', "-{}", "NOT {}", "{} OR {}", "source:{}", "-site:{}.com", "author:{}", "intitle:{}", "{}*",
    "({} {})", "last week", "since 2019", "in March 2024", "from 3 to 10 August 2024", "before:2025", "after:2024-03",
    "il y a 3 ans", "{}-{}", "{}'s {}", "{}{}", "{}", "the of to", "to be or not to be", "{} {} {} {}", "ﷺ",
)  # fmt: skip


def vocabulary(seed: int) -> list[str]:
    """Made-up words, the commonest first."""
    source = random.Random(seed)
    words = {"".join(source.choices(_SYLLABLES, k=source.randint(2, 5))): None for _ in range(2 * _VOCABULARY)}
    return list(words)[:_VOCABULARY]


def articles(words: Sequence[str], count: int, seed: int) -> Iterator[dict[str, object]]:
    """Articles of one passage each, in which a word is as frequent as its place in `words` says."""
    source = random.Random(seed)
    weights = [1 / (place + 3) for place in range(len(words))]
    for number in range(count):
        drawn = source.choices(words, weights, k=_ARTICLE_WORDS)
        sentences = (drawn[at : at + _SENTENCE_WORDS] for at in range(0, len(drawn), _SENTENCE_WORDS))
        yield {
            "id": f"a{number}", "title": " ".join(drawn[:6]).capitalize(), "source": f"Wire {number % _SOURCES}",
            "text": "\n\n".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences), "language": "en",
            "authors": [drawn[7].title()], "published": f"20{20 + number % 6}-{1 + number % 12:02}-0{1 + number % 9}",
        }  # fmt: skip


def slip(source: random.Random, word: str) -> str:
    """A word with a letter too many, too few or wrong."""
    at = source.randrange(len(word))
    return word[:at] + source.choice(("", "q", "qj")) + word[at + source.randint(0, 1) :]


def shapes(words: Sequence[str], seed: int) -> dict[str, str]:
    """Queries as long as a query may be, each of one thing over and over."""
    source = random.Random(seed)

    def filled(make: str, pool: Sequence[str] = words[:2_000]) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) + len(parts) < MAX_QUERY_CHARACTERS:
            parts.append(make.format(*source.choices(pool, k=4)))
        return " ".join(parts)[:MAX_QUERY_CHARACTERS]

    excluded_phrases = filled('-"{} {}"')
    slips = [slip(source, word) for word in source.choices(words, k=2_000) if len(word) > 4]
    return {
        "common words": filled("{}", words[:100]),
        "rare words": filled("{}", words[-5_000:]),
        "phrases": filled('"{} {}"'),
        "long phrases": filled('"{} {} {} {}"'),
        "one phrase": f'"{filled("{}", words[:50])[:-2]}"',
        "excluded": f"x {filled('-{}')}",
        "excluded phrases": f"x {excluded_phrases}",
        "or": filled("{} OR"),
        "titles": filled("intitle:{}"),
        "authors": filled("author:{}"),
        "sources": filled("source:{}"),
        "slips": filled("{}", slips),
        "two slips": filled("{}", [slip(source, one) for one in slips if len(one) > 7]),
        "joined words": filled("{}{}"),
        "compounds": filled("{}-{}-{}-{}"),
        "one compound": "-".join(words[:150]),
        "wildcards": filled("{}*"),
        "date words": filled("last week"),
        "dates": filled("from 3 to 10 August 2024"),
        "years": filled("since 2019"),
        "hints": filled("march may last"),
        "quotes": '"' * 1_000,
        "minus": "- " * 500,
        "one letter": "a" * 1_000,
        "letters": "a b c d e f g h " * 62,
        "stop words": filled("the of to and in"),
        "expanding": "ﷺ" * 1_000,
        "half pairs": "\ud800 " * 500,
        "groups": filled("-({} {})"),
        "hyphens": "-" * 1_000,
        "apostrophes": "a'" * 500,
        "spellings": filled("{}isation {}our {}ll"),
        "without spaces": "東京大阪" * 250,
        "digits": "1." * 500,
        "accents": "e\u0301" * 500,
        "operators": "before: after: site: " * 47,
        "one word": filled("{}", words[:1]),
    }


def seconds(engine: Engine, query: str) -> float:
    """The least processor time of some tries that a search takes, that of its threads included."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        with suppress(QueryError):
            engine.search(SearchRequest(query[:MAX_QUERY_CHARACTERS], as_of="2025-08-20"))
        best = min(best, time.process_time() - began)
        if best < MOST_SECONDS / 10:
            break
    return best


def climbed(engine: Engine, query: str, words: Sequence[str], steps: int, seed: int) -> tuple[float, str]:
    """The slowest query that single changes lead to, and its seconds."""
    source = random.Random(seed)
    best, tokens = seconds(engine, query), query.split(" ")
    for _ in range(steps):
        changed = list(tokens)
        for _ in range(source.randint(1, 12)):
            at = source.randrange(len(changed) + 1)
            pool = words[:200] if source.random() < 0.5 else words
            made = source.choice(_OPERATORS).format(*source.choices(pool, k=4))
            changed[at : at + source.randint(0, 2)] = [slip(source, made) if source.random() < 0.3 else made]
        candidate = " ".join(changed)[:MAX_QUERY_CHARACTERS]
        if (took := seconds(engine, candidate)) > best:
            best, tokens = took, candidate.split(" ")
    return best, " ".join(tokens)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--index", type=Path)
    given = parser.parse_args()
    words = vocabulary(given.seed)
    encoder = FakeEncoder()
    root = given.index or Path(tempfile.mkdtemp(prefix="dateline-slow-")) / "index"
    if not root.exists():
        source = write_jsonl(root.parent / "articles.jsonl", list(articles(words, given.passages, given.seed)))
        rebuild(root, [str(source)], lambda name, **options: encoder)
    engine = Engine.open(root, lambda name, **options: encoder)
    engine.search(SearchRequest(words[0]))
    timed = sorted(
        ((seconds(engine, query), name, query) for name, query in shapes(words, given.seed).items()), reverse=True
    )
    for took, name, _ in timed:
        print(f"{name:<18} {1000 * took:7.1f} ms")
    slowest = max(climbed(engine, query, words, given.steps // 3, given.seed) for _, _, query in timed[:3])
    print(f"climbed to         {1000 * slowest[0]:7.1f} ms: {slowest[1][:300]!r}")
    found = {"shapes": len(timed), "slowest_shape": timed[0][1], "slowest_shape_ms": round(1000 * timed[0][0], 1)}
    print(json.dumps(found | {"steps": given.steps, "climbed_ms": round(1000 * slowest[0], 1)}))
    return 1 if slowest[0] >= MOST_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
