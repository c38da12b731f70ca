"""Words of several parts that others write as one: peace-keeping and peacekeeping, O'Brien and OBrien."""

import re
from dataclasses import dataclass

# "Peace-keeping" and "e-mail" are written as one word too; longer ones, "man-of-the-match", are not.
_MOST_PARTS = 3
# The soft hyphen and en dashes too; the em dash stands between words that have nothing to do with each other.
_HYPHENS = r"\-\u00ad\u2010-\u2013\u2043\u2212\ufe63\uff0d"
_APOSTROPHES = r"'\u2018\u2019\u02bb\u02bc\uff07`\u00b4"
_COMPOUND = re.compile(
    rf"(?<![^\W_])(?<![^\W_][{_HYPHENS}])(?:"
    rf"(?P<hyphenated>[^\W_]++(?:[{_HYPHENS}][^\W_]++){{1,{_MOST_PARTS - 1}}}+)"
    rf"|(?P<name>[^\W\d_][{_APOSTROPHES}][^\W\d_]{{2,}})"
    rf")(?![^\W_]|[{_HYPHENS}][^\W_])"
)
_JOINT = re.compile(rf"[{_HYPHENS}{_APOSTROPHES}]")


@dataclass(frozen=True, slots=True)
class Compound:
    """Such a word in a text: how it is written as one, and where it stands, in characters."""

    joined: str
    start: int
    end: int


def compounds(text: str) -> list[Compound]:
    """The hyphenated words and the names like O'Brien in `text`, in order."""
    found: list[Compound] = []
    end = 0
    # Texts have few joints, and looking for them first takes a tenth of the time.
    for joint in _JOINT.finditer(text):
        if joint.start() < end:
            continue
        start = joint.start()
        while start > end and text[start - 1].isalnum():
            start -= 1
        match = _COMPOUND.match(text, start)
        if match and (_is_name(match[0]) if match["name"] else any(map(str.isalpha, match[0]))):
            found.append(Compound(_JOINT.sub("", match[0]), *match.span()))
            end = match.end()
    return found


def _is_name(text: str) -> bool:
    """Whether this is O'Brien or D'Angelo and not a French elision such as "l'eau"."""
    return text[0] in "Oo" or (text[0].isupper() and text[2].isupper())
