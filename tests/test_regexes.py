"""No regular expression of the product takes long over a string that was made for it to go back and back.

What is looked at is not the time but how it grows: a string four times as long may take about four times as long.
"""

import ast
import re
import time
from dataclasses import replace
from itertools import islice

import pytest
from regexes import Place, Regex, hostile, places, regex_at

from index.cleaning import furniture
from index.extraction import phrases
from search import periods, spellings

LENGTH, FACTOR = 2_000, 4
# Faster than this is linear, or too fast to tell; growth above this is no longer about linear.
SUSPICIOUS_SECONDS, MOST_GROWTH = 0.02, 2.2 * FACTOR
MOST_SECONDS_WHERE_SHORT = 0.1
TRIES = 3

# Patterns that are made while the program runs, and what they are made by.
MADE = {
    ("index/cleaning/furniture.py", "_compiled"): lambda: [pattern for _, pattern in furniture._KINDS],
    ("index/extraction/phrases.py", "compiled"): lambda: [phrases.compiled("one\ntwo")],
    ("search/periods.py", "_grammar"): lambda: [frame.pattern for frame in periods._grammar()],
    ("search/spellings.py", "_ending_rules"): lambda: [pattern for pattern, _ in spellings._ending_rules()],
    ("search/spellings.py", "_word_rules"): lambda: [pattern for pattern, _ in spellings._word_rules()],
}
# Patterns that only see strings of at most so many characters, because their modules look at the length before; and
# whether with single spaces only.
SHORT: dict[tuple[str, str], tuple[int, bool]] = {
    ("index/cleaning/masthead.py", ""): (300, False),  # masthead_of
    ("index/cleaning/furniture.py", "_CREDITS"): (600, False),  # furniture_kind
    ("index/cleaning/furniture.py", "_compiled"): (300, False),  # furniture_kind
    ("index/dates.py", "_JOINERS"): (200, False),  # written_moment
    ("index/extraction/people.py", ""): (2_000, True),  # _tidied, names_in
    ("index/extraction/titles.py", "_JOINT"): (1_000, True),  # tidy_title
    ("index/reading/translation.py", "_CUT"): (200, False),  # _taken_off
    ("index/sentences.py", "_LAST_WORD"): (24, False),  # _ends_sentence
}
# How patterns are used, where that cannot be seen from the name alone.
USED = {
    ("index/cleaning/furniture.py", "_compiled"): frozenset(("fullmatch",)),
    ("index/extraction/markup.py", "_BARE_UTF16"): frozenset(("match",)),
    ("index/sentences.py", "_BOUNDARY"): frozenset(("match",)),
}


def regexes():
    found = {}
    for place in places():
        regex = regex_at(place)
        if regex is not None:
            regex = replace(regex, methods=USED.get((place.file, place.name), regex.methods))
            found.setdefault((regex.pattern.pattern, regex.pattern.flags), (regex, limit(place)))
        elif made := MADE.get((place.file, place.function)):
            for number, pattern in enumerate(made()):
                methods = USED.get((place.file, place.function), frozenset(("search",)))
                one = Regex(f"{place.file} {place.function} {number}", pattern, methods)
                found.setdefault((pattern.pattern, pattern.flags), (one, limit(place)))
    return list(found.values())


def limit(place: Place) -> tuple[int, bool] | None:
    return SHORT.get((place.file, place.name or place.function)) or SHORT.get((place.file, ""))


def seconds(regex, string, most=60.0):
    """The least of some tries, of processor time; more than one only where the first took long."""
    best = most
    for _ in range(TRIES):
        began = time.thread_time()
        for method in regex.methods or ("search",):
            use(regex.pattern, method, string)
        best = min(best, time.thread_time() - began)
        if best < SUSPICIOUS_SECONDS:
            break
    return best


def use(pattern, method, string):
    match method:
        case "finditer":
            for _ in pattern.finditer(string):
                pass
        case "sub" | "subn":
            pattern.sub(lambda match: match.group()[:0], string)
        case "compile":
            pattern.search(string)
        case _:
            getattr(pattern, method)(string)


def test_every_pattern_is_known_or_made_by_something_that_is():
    unknown = [place for place in places() if regex_at(place) is None and (place.file, place.function) not in MADE]
    # Two that only hold a table's words: what is in the tables stands in other patterns too.
    assert {(one.file, one.function, ast.unparse(one.pattern)[:20]) for one in unknown} == {
        ("search/periods.py", "_between", "_MONTHS[language]"),
        ("search/periods.py", "_moment", "f'(?P<last>last )?({"),
    }
    assert len(regexes()) > 250


@pytest.mark.parametrize(("regex", "short"), [pytest.param(*one, id=one[0].place) for one in regexes()])
def test_time_grows_with_the_length_of_the_string_and_no_faster(regex, short):
    if short:
        for string in hostile(regex.pattern, short[0]):
            shown = " ".join(string.split()) if short[1] else string
            assert seconds(regex, shown) < MOST_SECONDS_WHERE_SHORT, shown[:80]
        return
    pairs = zip(hostile(regex.pattern, LENGTH), hostile(regex.pattern, FACTOR * LENGTH), strict=True)
    for string, longer in pairs:
        if (took := seconds(regex, string)) >= SUSPICIOUS_SECONDS:
            assert seconds(regex, longer) < MOST_GROWTH * took, longer[:80]


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"\s+$", r"(?:a|a)*b", r"(?:\w+,? ?)+;", r"x*y*z"])
def test_a_pattern_that_goes_back_and_back_would_be_found(pattern):
    regex = Regex("here", re.compile(pattern), frozenset(("search",)))
    lengths = (8, 20) if "(" in pattern else (LENGTH // 2, FACTOR * LENGTH // 2)
    short, long = (
        max(seconds(regex, string) for string in islice(hostile(regex.pattern, length), 12)) for length in lengths
    )
    assert long > MOST_GROWTH * short
