"""Filters as conditions in Milvus's own language.

Every value that somebody typed stands in them as JSON would write it: nothing typed can end a string. Older servers
take no templates, so there is no other way that all of them know.
"""

import json
import re
from collections.abc import Sequence

from index.filters import Filters
from index.milvus.rows import label, phrase_grams
from index.terms import analyse, day_ordinal

_END_OF_TIME = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
NOTHING = "number < 0"
"""What no passage and no article fits."""


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
    conditions = []
    if filters.first_day or filters.last_day:
        first, last = max(day_ordinal(filters.first_day), 1), day_ordinal(filters.last_day) or _END_OF_TIME
        conditions.append(f"day >= {first} and day <= {last}")
    if filters.sources:
        conditions.append(_labelled(_origins(filters.sources)))
    if filters.excluded_sources:
        conditions.append(f"not ({_labelled(_origins(filters.excluded_sources))})")
    if filters.authors:
        conditions.append(_labelled([label("a", name) for name in filters.authors]))
    if filters.languages:
        conditions.append(_labelled([label("l", name.replace("_", "-")) for name in filters.languages]))
    return all_of(*conditions)


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


def named(name: str, kind: str) -> str:
    """Where an article has this "source", "author" or "language"."""
    if kind == "source":
        return _labelled(_origins([name]))
    return _labelled([label(kind[0], name.replace("_", "-") if kind == "language" else name)])


def stems_of(words: str) -> list[str]:
    """The stems of what was typed, as the index knows them."""
    return [term.stem for term in analyse(words)]


def _origins(names: Sequence[str]) -> list[str]:
    """The labels of sources that were named, or named by their host."""
    return [*(label("s", name) for name in names), *(label("h", name) for name in names if "." in name)]


def _labelled(labels: Sequence[str]) -> str:
    return f"array_contains_any(labels, [{', '.join(map(quoted, labels))}])"
