"""A record in anybody's terms as a record in ours: what the user mapped first, then what can be guessed.

What has our own name and the form that it should have stays as it is. All else is read generously:
objects stand for the name in them, lists for their members, HTML for its text, numbers for moments.
What nobody asks for goes under `extra`.
"""

import html
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from index.errors import SourceError
from index.reading.fields import GUESSED, OURS, FieldMap, value_at, without
from index.reading.fragments import has_markup, is_page, paragraphs_of
from index.reading.guesses import NAMES, all_texts, by_folded_name, folded, moment_text, one_text

# Deeper than any real record, and what everything that stores or shows a record can stand.
_DEEPEST = 60
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")
# NewsAPI cuts its texts and says by how much.
_CUT = re.compile(r"\s*(?:…|\.\.\.)?\s*\[\+(\d{1,9}) chars\]\s*$")
_LONGEST_LANGUAGE = 40


def translated(record: Mapping[str, Any], fields: FieldMap = GUESSED) -> dict[str, Any]:
    """The record under our names, each value of the type that it should have.

    `html` is there only where it is a whole page and there is no `text`. Raises SourceError when the
    record is nested too deeply to be kept.
    """
    rest: dict[str, Any] = _storable(record, _DEEPEST)
    ours: dict[str, Any] = {}
    for name in OURS:
        for path in fields.paths_to(name):
            if name not in ours:
                _take(ours, name, value_at(rest, path), exact=False)
    for name, constant in fields.constants:
        if name not in ours:
            _take(ours, name, list(constant) if isinstance(constant, tuple) else constant, exact=False)
    for _, path in fields.paths:  # only now: one of theirs may serve two of ours
        rest = without(rest, path)
    used = _guess(rest, ours)
    _settle_body(ours)
    bodies = NAMES["html"] if "text" in ours else ()
    extra = dict(rest["extra"]) if isinstance(rest.get("extra"), dict) else {}
    for key, value in rest.items():
        if key not in (*used, "extra") and folded(key) not in bodies and value not in (None, "", [], {}):
            extra[key] = value
    if (missing := _taken_off(ours)) is not None:
        extra["truncated"] = missing
    return {**ours, "extra": extra} if extra else ours


def has_body(record: Mapping[str, Any]) -> bool:
    """Whether a record has what can be the text of an article."""
    return any(folded(str(key)) in _BODIES and _story(value) for key, value in record.items())


_BODIES = frozenset((*NAMES["text"], *NAMES["html"]))


def _guess(record: Mapping[str, Any], ours: dict[str, Any]) -> set[str]:
    """Fills in what is not in `ours` yet; returns the keys of the record that were used."""
    used: set[str] = set()
    keys = by_folded_name(record)
    for name in OURS:
        for key in (keys[theirs] for theirs in NAMES[name] if theirs in keys):
            if name in ours or (name == "html" and "text" in ours):
                break
            if _take(ours, name, record[key], exact=key == name):
                used.add(key)
    return used


def _take(ours: dict[str, Any], name: str, value: Any, *, exact: bool) -> bool:
    """Puts a value into a field, if it can be one; `exact` where the record calls it as we do."""
    if not (exact and _is_in_our_form(name, value)):
        value = _READERS[name](value)
        if name == "url" and not exact and not value.startswith(("http://", "https://")):
            return False
        if name == "text" and is_page(value):
            name = "html"
    if not value:
        return False
    ours[name] = value
    return True


def _is_in_our_form(name: str, value: Any) -> bool:
    if name == "authors":
        return isinstance(value, list) and all(isinstance(author, str) for author in value)
    return isinstance(value, str) and name not in ("published", "updated")


def _settle_body(ours: dict[str, Any]) -> None:
    """Sees to it that a whole page is in `html` and anything else in `text`."""
    if "html" in ours and "text" not in ours and not is_page(ours["html"]):
        ours["text"] = paragraphs_of(ours["html"])
    if "text" in ours:
        ours.pop("html", None)


def _taken_off(ours: dict[str, Any]) -> int | None:
    """How many characters an interface has cut off the text; the note that says so is taken out."""
    cut = _CUT.search(ours.get("text", "")[-200:])
    if cut is None:
        return None
    ours["text"] = f"{ours['text'].removesuffix(cut[0])} …"
    return int(cut[1])


def _story(value: Any) -> str:
    """The text of a story, which may be a list of paragraphs or be written in HTML."""
    if isinstance(value, (int, float)):
        return ""
    text = "\n\n".join(all_texts(value)) if isinstance(value, list) else one_text(value)
    return paragraphs_of(text) if has_markup(text) and not is_page(text) else text


def _markup(value: Any) -> str:
    return value if isinstance(value, str) else one_text(value)


def _line(value: Any) -> str:
    """A line of text, without the tags and entities that news systems leave in headlines."""
    text = one_text(value)
    if has_markup(text):
        text = paragraphs_of(text)
    return html.unescape(text) if _ENTITY.search(text) else text


def _people(value: Any) -> list[str]:
    from index.extraction.people import people

    texts = all_texts(value)
    return list(people(texts)) or texts


def _language(value: Any) -> str:
    from index.extraction.language import language_tag

    text = one_text(value)
    return language_tag(text[:_LONGEST_LANGUAGE]) or ""


def _sections(value: Any) -> str:
    return "; ".join(_line(text) for text in all_texts(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": one_text, "url": one_text, "title": _line, "text": _story, "html": _markup, "published": moment_text,
    "updated": moment_text, "authors": _people, "source": _line, "language": _language, "section": _sections,
    "summary": _line,
}  # fmt: skip


def _storable(value: Any, levels: int) -> Any:
    """A copy of what JSON can say that can also be written again: no halves of characters, no infinity."""
    if levels == 0:
        raise SourceError("too deeply nested")
    match value:
        case str():
            return _SURROGATES.sub("\ufffd", value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {_SURROGATES.sub("\ufffd", str(key)): _storable(member, levels - 1) for key, member in value.items()}
        case list():
            return [_storable(member, levels - 1) for member in value]
        case _:
            return value
