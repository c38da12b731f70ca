"""Made-up articles, each about a place of its own, and the question that only one of them answers."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ONSETS = "Brenn Calder Dun Esk Fal Gor Hal Inver Kest Lun Mor Nor Pell Quor Roth".split()
MIDDLES = "a e i o ay in er ow".split()
ENDS = "vik mouth holm wick stead bury ness ford garth combe".split()
EVENTS = {
    "ferry terminal closes after storm": "The ferry terminal at {place} was closed after waves broke the quay wall.",
    "council votes for new tram line": "Councillors in {place} voted for a tram from the station to the hospital.",
    "bakers' strike enters second week": "Bakers in {place} have not worked for eight days; they want shorter nights.",
    "lost bell found in river": "Divers found the bell of the old church of {place} in the mud under the bridge.",
    "dairy recalls soft cheese": "A dairy in {place} called back its soft cheese after inspectors found listeria.",
    "solar farm to power waterworks": "The waterworks of {place} will run on a solar farm from next spring.",
    "museum returns masks": "The museum of {place} returned four carved masks to the family that had lent them.",
    "school opens after flood": "Children in {place} went back to school, nine months after the flood.",
}
TITLES = tuple(EVENTS)
REST = (
    "The mayor of {place} said that the costs, about {sum} million crowns, would be shared with the region.",
    "{people} people live in {place}, and most of them heard of it from the local radio, residents told reporters.",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the article that answers it."""

    text: str
    answer: str


def records(first: int, count: int) -> Iterator[dict[str, str]]:
    """Articles number `first` and following, the same ones every time."""
    for number in range(first, first + count):
        place, title, chance = place_of(number), TITLES[number % len(TITLES)], random.Random(number)
        figures = {"place": place, "sum": chance.randint(2, 90), "people": chance.randint(3, 90) * 100}
        yield {
            "id": f"place-{number}", "title": f"{place}: {title}", "source": f"{ENDS[number % len(ENDS)].title()} Post",
            "published": f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}", "language": "en",
            "text": "\n\n".join(text.format_map(figures) for text in (EVENTS[title], *REST)),
        }  # fmt: skip


def place_of(number: int) -> str:
    """A name that no other number has."""
    rest, end = divmod(number, len(ENDS))
    rest, middle = divmod(rest, len(MIDDLES))
    again, onset = divmod(rest, len(ONSETS))
    return f"{ONSETS[onset]}{MIDDLES[middle]}{ENDS[end]}{again or ''}"


def question(number: int) -> Question:
    """What article `number` answers."""
    return Question(f"{TITLES[number % len(TITLES)]} in {place_of(number)}", f"place-{number}")


def write(path: Path, first: int, count: int) -> Path:
    """A JSONL file of articles."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records(first, count)), encoding="utf-8")
    return path
