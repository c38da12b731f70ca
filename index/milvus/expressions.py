"""Filters as conditions in Milvus's own language.

Every value that somebody typed stands in them as JSON would write it: nothing typed can end a string. Older servers
take no templates, so there is no other way that all of them know.
"""

import json
import re
from collections.abc import Sequence

from index.filters import Filters
from index.milvus.rows import label, phrase_grams
from index.milvus.tables import NOTHING
from index.terms import day_ordinal, stems_of

_END_OF_TIME = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def quoted(text: str) -> str:
    """A text as a constant; one with control characters, which nothing stored has, as one that nothing has either."""
    return json.dumps(_CONTROL.sub("\n", text), ensure_ascii=False)


def all_of(*conditions: str) -> str:
    """Where all of these hold; everywhere, where there is none."""
    given = [condition for condition in conditions if condition]
    return " and ".join(f"({condition})" for condition in given) if len(given) > 1 else "".join(given)


def among(field: str, numbers: Sequence[int]) -> str:
    """Where a field is one of these numbers."""
    return f"{field} in [{', '.join(map(str, numbers))}]" if numbers else NOTHING


def of_articles(filters: Filters) -> str:
    """What filters ask of a whole article: day, source, author, language."""
    days = ""
    if filters.first_day or filters.last_day:
        first, last = max(day_ordinal(filters.first_day), 1), day_ordinal(filters.last_day) or _END_OF_TIME
        days = f"day >= {first} and day <= {last}"
    unwanted = named("source", *filters.excluded_sources)
    return all_of(
        days, named("source", *filters.sources), unwanted and f"not ({unwanted})",
        named("author", *filters.authors), named("language", *filters.languages),
    )  # fmt: skip


def of_titles(filters: Filters) -> str:
    """What filters ask of a title. Two by two: hardly any title has three words in two places."""
    titles = filter(None, map(stems_of, filters.title))
    return all_of(*(holding(phrase_grams(stems, in_title=True)) for stems in titles))


def holding(grams: Sequence[int]) -> str:
    """Where a passage has all of these."""
    return f"array_contains_all(grams, [{', '.join(map(str, grams))}])"


def holding_any(grams: Sequence[int]) -> str:
    """Where a passage has one of these."""
    return f"array_contains_any(grams, [{', '.join(map(str, grams))}])"


def named(kind: str, *names: str) -> str:
    """Where an article has one of these names of a "source", an "author" or a "language"; "" for no name.

    A source may be named by its host.
    """
    hosts = [label("h", name) for name in names if kind == "source" and "." in name]
    labels = [label(kind[0], name) for name in names] + hosts
    return f"array_contains_any(labels, [{', '.join(map(quoted, labels))}])" if labels else ""
