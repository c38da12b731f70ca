"""Copies of real articles, and texts that only look like copies, made from a seed.

Used by duplicates.py and duplicates_tuning.py beside this file; prints nothing by itself.
"""

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from index.sentences import sentence_spans

DEFAULT = Path(__file__).parent.parent.parent / "shared" / "data" / "rtqa2022" / "articles.jsonl.gz"
KINDS = ("trimmed", "new lede", "boilerplate", "reordered", "edited", "combined")
SHORTEST = 50
"""Words of an article that copies are made of."""
BOILERPLATES = (
    "This report was prepared by the newsroom of the Northern Press Association and is distributed to member papers in "
    "eleven countries. No part of it may be sold on, archived for resale or used to train software without written "
    "permission. Members may shorten the report. Corrections are sent to all members as soon as they are known.",
    "Copyright Harbour Wire Service. All rights reserved.",
    "Thank you for reading. If this story was useful to you, please think about supporting our reporters with a small "
    "monthly gift. Our newsroom has no owner and no advertisers, and every investigation that you read here was paid "
    "for by readers like you. Gifts can be ended at any time, and you will get our Friday letter.",
    "Sign up for the Morning Courier, our free newsletter with everything you need to know before breakfast, sent "
    "every weekday at six. By signing up you agree to our terms and to our privacy notice.",
    "Have a tip? Write to the news desk or call us around the clock. Letters to the editor should have fewer than two "
    "hundred words and must carry the full name, address and telephone number of the writer; we shorten them.",
    "The Eastern News Agency is an independent cooperative. Its reporters follow a code of conduct that is public. The "
    "agency receives support from several foundations for its coverage of climate, health and education, and is alone "
    "responsible for all content. Find its standards and a list of supporters on its website.",
)
TEMPLATES = (
    "The winning numbers in {day} evening's drawing of the Lucky Six game were: {n}-{n}-{n}-{n}-{n}-{n}. The estimated "
    "jackpot is ${n} million. Players match all six numbers to win the jackpot. For more information about the game, "
    "players can visit the website of the state lottery or ask at any licensed shop. Tickets are sold until one hour "
    "before each drawing.",
    "{town} will see clouds on {day} with a high of {n} degrees and a low of {n} degrees. Winds will come from the "
    "north at {n} kilometres an hour. The chance of rain is {n} per cent. The sun rises at 6:{n} and sets at 19:{n}. "
    "Drivers are asked to take care on country roads in the early morning.",
    "An earthquake of magnitude {n}.{n} was reported {day} at {n}:{n} a.m. {n} miles from {town}, according to the "
    "geological survey. In the past ten days there have been {n} earthquakes of magnitude 3.0 or greater centered "
    "nearby. Did you feel this earthquake? Report what you felt to the survey. This story was written from a computer "
    "program and reviewed by an editor before publication.",
    "{name}, {n}, of {town}, passed away peacefully on May {n} at {town} General Hospital, surrounded by loving "
    "family. Born in {town} to the late {name} and {name}, the deceased worked for {n} years at the mill. Survivors "
    "include {n} children and {n} grandchildren. Visitation will be held from {n} to {n} p.m. at {town} Funeral Home. "
    "In lieu of flowers, donations may be made to the hospice. The family thanks the nurses for their tender care.",
)
FILLERS = {
    "day": ("Monday", "Tuesday", "Thursday", "Saturday"),
    "town": ("Ashford", "Millbrook", "Granton", "Westhaven", "Oakridge", "Silverton", "Eastwick", "Dunmore"),
    "name": ("Anna Berg", "Tom Okafor", "Lucía Marín", "Henry Walsh", "Mei Tanaka", "Paul Novak", "Ruth Adler"),
}


@dataclass(frozen=True)
class Story:
    """A text, the original it comes from (its place, or a name of its own) and how it was made."""

    root: int | str
    kind: str
    text: str
    published: str | None


class Forger:
    """Makes copies and what only looks like one, from a seed."""

    def __init__(self, originals: Sequence[Story], seed: int) -> None:
        self.originals = originals
        self.chance = random.Random(seed)
        self.vocabulary = sorted({word for story in originals[:300] for word in story.text.split()})

    def copy(self, place: int, kind: str) -> Story:
        """A copy of the original at `place`, published up to two days later."""
        sentences = sentences_of(self.originals[place].text)
        steps = ("trimmed", "new lede", "boilerplate", "reordered") if kind == "combined" else (kind,)
        for step in steps:
            sentences = self._changed(sentences, step)
        return Story(place, kind, " ".join(sentences), self._later(place, self.chance.randrange(3)))

    def follow_up(self, place: int) -> Story:
        """News of the next day: 30 % of it is background that stood in the original."""
        words = self.originals[place].text.split()
        background = " ".join(words[len(words) - round(0.3 * len(words)) :])
        other = self.originals[self.chance.randrange(len(self.originals))].text.split()
        news = [self.chance.choice(other) for _ in range(round(0.7 * len(words)))]
        return Story(f"follow-up {place}", "follow-up", " ".join([*news, background]), self._later(place, 1))

    def digest(self, places: Sequence[int]) -> Story:
        """The first 120 words of several articles."""
        text = "\n\n".join(" ".join(self.originals[place].text.split()[:120]) for place in places)
        return Story(f"digest {places[0]}", "digest", text, self._later(places[0], 1))

    def templates(self, copies: int) -> Iterator[Story]:
        """So many of each template, all of one week."""
        for number, template in enumerate(TEMPLATES * copies):
            text = template
            for name, values in FILLERS.items():
                while f"{{{name}}}" in text:
                    text = text.replace(f"{{{name}}}", self.chance.choice(values), 1)
            while "{n}" in text:
                text = text.replace("{n}", str(self.chance.randrange(1, 60)), 1)
            yield Story(f"template {number}", "template", text, f"2022-06-0{1 + number % 3}")

    def _changed(self, sentences: list[str], kind: str) -> list[str]:
        chance = self.chance
        if kind == "trimmed":
            if chance.random() < 0.5:
                return cut(sentences, 0.6)
            kept = sorted(chance.sample(range(len(sentences)), max(1, round(0.6 * len(sentences)))))
            return [sentences[place] for place in kept]
        if kind == "new lede":
            headline = [chance.choice(self.vocabulary) for _ in range(8)]
            lede = sentences[0].split() + [chance.choice(self.vocabulary) for _ in range(8)]
            chance.shuffle(lede)
            return [" ".join(headline), " ".join(lede) + ".", *sentences[1:]]
        if kind == "boilerplate":
            added = [chance.choice(BOILERPLATES)]
            return added + sentences if chance.random() < 0.3 else sentences + added
        if kind == "reordered":
            return chance.sample(sentences, len(sentences))
        return [
            " ".join(chance.choice(self.vocabulary) if chance.random() < 0.03 else word for word in sentence.split())
            for sentence in sentences
        ]

    def _later(self, place: int, days: int) -> str | None:
        day = self.originals[place].published
        return (date.fromisoformat(day[:10]) + timedelta(days=days)).isoformat() if day else None


def sentences_of(text: str) -> list[str]:
    """The sentences, in order."""
    return [text[start:end] for start, end in sentence_spans(text)]


def cut(sentences: list[str], share: float) -> list[str]:
    """The first sentences, until they have this share of the words."""
    lengths = np.cumsum([len(sentence.split()) for sentence in sentences])
    return sentences[: int(np.searchsorted(lengths, share * lengths[-1])) + 1]


def read(path: Path) -> list[Story]:
    """The real articles."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [Story(place, record["title"], record["text"], record["published"]) for place, record in enumerate(records)]


def sampled(originals: Sequence[Story], forger: Forger, size: int) -> list[int]:
    """Places of articles to make copies of: long enough, and no notice that stands in place of many."""
    holders = Counter(story.text for story in originals)
    long_enough = [
        place
        for place, story in enumerate(originals)
        if len(story.text.split()) >= SHORTEST and holders[story.text] == 1
    ]
    return forger.chance.sample(long_enough, min(size, len(long_enough)))
