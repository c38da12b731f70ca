"""Live reports: entries one above the other, each with its time, all of them the story."""

import re
from collections import defaultdict

from index.extraction.frame import SMALL_BOXES, Page

# Two boxes with a time each may be a story and a teaser.
_LEAST_ENTRIES = 3
# Where the page does not say that it is a live report, more is asked for, and a name.
_LEAST_UNSTATED_ENTRIES = 5
_ENTRY_WORDS = frozenset("live liveblog liveticker ticker liveblogs minute update updates".split())
# The time of an entry is among its first lines.
_TIME_AMONG = 4
_TIME_LINE = re.compile(r"(?:.{0,40}\D)?\b\d{1,2}[:.h]\d{2}\b.{0,40}")
_TIME_LINE_LENGTH = 60


def is_time_line(text: str) -> bool:
    """Whether a line is the time of an entry: "10:42", "6.20pm GMT", "19.27 Uhr: Hafen gesperrt"."""
    return len(text) <= _TIME_LINE_LENGTH and _TIME_LINE.fullmatch(text) is not None


def entries_of(page: Page, *, stated: bool) -> frozenset[int]:
    """The boxes of the entries of a live report; empty where the page is none.

    Entries are boxes of one name in one box, with prose, most of them with a time at their head.
    `stated` is whether the page calls itself a live report.
    """
    if not stated and not any(box.words & _ENTRY_WORDS for box in page.boxes):
        return frozenset()
    groups: defaultdict[tuple[int, str, str], list[int]] = defaultdict(list)
    heads: defaultdict[int, list[str]] = defaultdict(list)
    prose: defaultdict[int, float] = defaultdict(float)
    for block, worth in zip(page.blocks, page.prose, strict=True):
        for number in page.layout.around(block.box):
            if len(heads[number]) < _TIME_AMONG:
                heads[number].append(block.text)
            prose[number] += worth
    for number, box in enumerate(page.boxes):
        if (box.tag not in SMALL_BOXES or box.tag == "li") and number in heads and box.parent >= 0:
            groups[box.parent, box.tag, _kind_of_name(box.name)].append(number)
    least = _LEAST_ENTRIES if stated else _LEAST_UNSTATED_ENTRIES
    best: list[int] = []
    for (parent, _, name), members in groups.items():
        timed = sum(any(map(is_time_line, heads[number])) for number in members)
        called = stated or bool((page.boxes[parent].words | page.boxes[members[0]].words) & _ENTRY_WORDS)
        if called and (name or stated) and timed >= least and timed * 2 > len(members):
            best = max(best, members, key=lambda numbers: sum(prose[number] for number in numbers))
    whole = sum(page.prose)
    return frozenset(best) if sum(prose[number] for number in best) * 3 > whole else frozenset()


def _kind_of_name(name: str) -> str:
    """The name without numbers, which tell one entry from the next."""
    return re.sub(r"(?<![0-9a-f-])[0-9a-f-]*\d[\w-]*", "", name).strip()
