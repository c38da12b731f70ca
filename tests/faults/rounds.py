"""A corpus in which every answer can be checked without asking the index: texts follow from an article's number.

The corpus goes through rounds. Each round names all its articles' source, and of every tenth it changes the text, so
that offsets move. An answer in which two rounds meet has mixed two states of the index; a passage that does not
stand in its article's text of that round belongs to another article or another time.
"""

import json
import random
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

_WORDS = (
    "harbour council ferry budget minister flood school hospital bridge election strike museum library railway storm"
    " court police union wages housing energy climate vaccine research satellite harvest fishery border treaty"
    " parliament mayor reservoir wildfire airport festival orchestra champion stadium league refugee tariff pension"
    " inflation factory battery vineyard glacier volcano lighthouse archive manuscript pilgrim monastery"
).split()
_SENTENCES_A_PARAGRAPH = (3, 6)
_PARAGRAPHS = (2, 4)
_CHANGED_EVERY = 10
_SOURCE = re.compile(r"Round (\d+)")
_ID = re.compile(r"a(\d+)")


def word_of(number: int) -> str:
    """The word that stands in every sentence of one article and in no other."""
    return f"q{number}zx"


@lru_cache(maxsize=20_000)
def text_of(number: int, round: int) -> str:
    """The whole text of an article in a round."""
    chance = random.Random(number)
    paragraphs = []
    for _ in range(chance.randint(*_PARAGRAPHS)):
        sentences = []
        for _ in range(chance.randint(*_SENTENCES_A_PARAGRAPH)):
            words = " ".join(chance.choices(_WORDS, k=chance.randint(6, 12)))
            sentences.append(f"The {words} of {word_of(number)} was reported.")
        paragraphs.append(" ".join(sentences))
    if number % _CHANGED_EVERY == 0:
        paragraphs.insert(0, f"Edition {round} of {word_of(number)} begins here." + " Anew." * (round % 7))
    return "\n\n".join(paragraphs)


def record(number: int, round: int) -> dict[str, Any]:
    """An article as Dateline reads it."""
    return {
        "id": f"a{number}", "title": f"Report {word_of(number)}", "source": f"Round {round}", "language": "en",
        "published": f"20{10 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}",
        "authors": [f"Author {number % 50}"], "text": text_of(number, round),
    }  # fmt: skip


def write_round(path: Path, numbers: range, round: int) -> Path:
    """Writes the articles with these numbers as JSONL."""
    path.write_text("".join(json.dumps(record(number, round)) + "\n" for number in numbers), "utf-8")
    return path


def queries(seed: int, articles: int) -> "Queries":
    """Endless distinct queries; the same seed makes the same ones."""
    return Queries(random.Random(seed), articles)


class Queries:
    """Draws queries: every other one is for one article by its word, the rest are a few words of many articles."""

    def __init__(self, chance: random.Random, articles: int) -> None:
        self._chance, self._articles = chance, articles

    def draw(self) -> str:
        """The next query."""
        words = " ".join(self._chance.choices(_WORDS, k=self._chance.randint(2, 5)))
        if self._chance.random() < 0.5:
            return f"{word_of(self._chance.randrange(self._articles))} {words}"
        return f"{words} {self._chance.randrange(1_000_000)}"


def mistakes(found: dict[str, Any]) -> tuple[list[str], int | None]:
    """What is wrong with an answer of the search API, and the round that it is of; None without results."""
    wrong: list[str] = []
    rounds = {_round(hit["article"]["source"]) for hit in found["results"]}
    rounds |= {_round(facet["value"]) for facet in found["facets"]["source"]}
    if len(rounds) > 1:
        wrong.append(f"rounds {sorted(rounds)} in one answer of {found['generation']}")
    for hit in found["results"]:
        wrong += _mistakes_in_hit(hit)
    wanted = re.match(r"q(\d+)zx", found["query"])
    if wanted and (not found["results"] or found["results"][0]["article"]["id"] != f"a{wanted[1]}"):
        wrong.append(f"the article of '{found['query']}' is not the first result")
    return wrong, next(iter(rounds), None)


def article_mistakes(found: dict[str, Any]) -> list[str]:
    """What is wrong with a whole article as the API gives it."""
    number, round = _number(found["id"]), _round(found["source"])
    return [] if found["text"] == text_of(number, round) else [f"the text of {found['id']} is not that of {round}"]


def page_mistakes(page: str) -> list[str]:
    """What is wrong with a page of results: it is cut, or of two rounds."""
    wrong = [] if page.rstrip().endswith("</html>") else ["a page was cut"]
    rounds = set(_SOURCE.findall(page))
    return wrong if len(rounds) <= 1 else [*wrong, f"rounds {sorted(rounds)} in one page"]


def _mistakes_in_hit(hit: dict[str, Any]) -> list[str]:
    id, passage = hit["article"]["id"], hit["passage"]
    number, round = _number(id), _round(hit["article"]["source"])
    text = text_of(number, round)
    if passage["text"] != text[passage["start"] : passage["end"]] or word_of(number) not in passage["text"]:
        return [f"passage {passage['id']} is not of {id} in round {round}"]
    return []


def _number(id: str) -> int:
    matched = _ID.fullmatch(id)
    assert matched, f"no article has the id {id}"
    return int(matched[1])


def _round(source: str) -> int:
    matched = _SOURCE.fullmatch(source)
    assert matched, f"no article is of {source}"
    return int(matched[1])
