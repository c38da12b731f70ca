"""What surrounds stories on news sites, recognised by the shape of single lines.

`phrases` lists the words that publishers use; layout does the rest.
"""

import re
from enum import Enum

from index.cleaning import phrases
from index.cleaning.phrases import alternatives


class Furniture(Enum):
    """Kinds of lines that are not story."""

    ADVERT = "advert"
    AGO = "ago"
    CREDIT = "credit"
    ENDING = "ending"
    LEGAL = "legal"
    NAVIGATION = "navigation"
    PROMOTION = "promotion"
    SHARE = "share"
    SIGN_UP = "sign_up"
    TRUNCATED = "truncated"


EVIDENCE = {
    Furniture.ADVERT: 1, Furniture.AGO: 2, Furniture.CREDIT: 1, Furniture.ENDING: 1, Furniture.LEGAL: 2,
    Furniture.NAVIGATION: 1, Furniture.PROMOTION: 1, Furniture.SHARE: 2, Furniture.SIGN_UP: 1, Furniture.TRUNCATED: 2,
}  # fmt: skip
"""How much one line of a kind says that a text is a page copied whole."""

STORY_VALUES = {
    Furniture.ADVERT: -0.5, Furniture.AGO: -2.0, Furniture.CREDIT: -0.5, Furniture.ENDING: -4.0, Furniture.LEGAL: -6.0,
    Furniture.NAVIGATION: -1.0, Furniture.PROMOTION: -1.0, Furniture.SHARE: -0.5, Furniture.SIGN_UP: -1.0,
    Furniture.TRUNCATED: -2.0,
}  # fmt: skip
"""What a line of a kind takes from the value of a story that would include it; a long paragraph adds
4. What stands between paragraphs on every site takes little, what comes after stories takes much.
Set by hand on the odd-numbered pages of tests/data/scrapes; tests/test_cleaning.py judges them."""

INSERTS = frozenset(Furniture) - {Furniture.NAVIGATION, Furniture.AGO}
"""Kinds that are dropped from the midst of a story. A word such as "Health" may be a cross-head, a
time of day the head of an entry in a live report."""

# Longer lines are prose whatever they begin with; captions may be longer.
_MOST_WORDS, _MOST_CHARACTERS = 30, 300
_CAPTION_WORDS, _CAPTION_CHARACTERS = 60, 600
# "BEAR BREAKS INTO BAKERY, LEAVES WITHOUT TRYING THE RYE" in mid-story links to another one; a
# cross-head in capitals is shorter.
_SHOUTED_WORDS = 6
# Sign-up boxes and small print are sentences too; the other kinds are labels.
_LABELS = frozenset(
    {Furniture.AGO, Furniture.SHARE, Furniture.PROMOTION, Furniture.ENDING, Furniture.NAVIGATION, Furniture.CREDIT}
)
_SENTENCE_WORDS = 6
# "U.S. Politics World Opinion Media Sports Video": so many words, so many of them from menus.
_MENU_WORDS, _MENU_SHARE = 5, 0.6
# "Home | News | Royals", "Markets  Companies  Work & Careers": so many items, each so short.
_MENU_ITEMS, _ITEM_CHARACTERS = 3, 30
_ITEM_GAP = re.compile(r"\s?[|·•]\s?|\s/\s|\s\s+")


_LISTS = {
    "navigation": alternatives(phrases.NAVIGATION_WORDS),
    "site": alternatives(phrases.SITES),
    "unit": alternatives(phrases.UNITS),
}


def _compiled(patterns: str) -> re.Pattern[str]:
    expression = alternatives(patterns)
    for name, words in _LISTS.items():
        expression = expression.replace(f"{{{name}}}", words)
    return re.compile(expression, re.IGNORECASE)


# In this order: the first kind that fits is the line's.
_KINDS = (
    (Furniture.ADVERT, _compiled(phrases.ADVERT)),
    (Furniture.AGO, _compiled(phrases.AGO)),
    (Furniture.SHARE, _compiled(phrases.SHARE)),
    (Furniture.SIGN_UP, _compiled(phrases.SIGN_UP)),
    (Furniture.PROMOTION, _compiled(phrases.PROMOTION)),
    (Furniture.ENDING, _compiled(phrases.ENDING)),
    (Furniture.LEGAL, _compiled(phrases.LEGAL)),
    (Furniture.NAVIGATION, _compiled(phrases.NAVIGATION)),
)
_MENU_WORD = re.compile(_LISTS["navigation"], re.IGNORECASE)
_TRUNCATED = re.compile(r".{40,}(?:\.\.\.|…)(?: ?(?:read more|more|lire la suite|weiterlesen))?", re.IGNORECASE)

_PERSON = r"[A-ZÀ-Þ][\w.’'-]+(?: (?:de |van |von |der |la |le |du |di |bin |al-)?[A-ZÀ-Þ][\w.’'-]*){0,3}"
_CREDIT = alternatives(phrases.CREDIT_WORDS)
_CREDITS = (
    # "THE CANADIAN PRESS/Jeff McIntosh", "AFP/Getty Images"
    re.compile(rf"(?:^|[\s(])(?:[A-Z][A-Z.&-]++ ?){{1,4}}\s?/\s?(?:{_PERSON}|[A-Z]{{2,}})[).]?$"),
    # "(Ora Finch / Pellworth Courier)", "(Harbour Wire Photo/Jo Marsh)", "© Solène Aubrac / Le Bocage Libre"
    re.compile(rf"[(©|]\s*(?:{_CREDIT}|{_PERSON})[^()]{{0,40}}\s?/\s?[^()/.]{{2,40}}\)?\.?$", re.IGNORECASE),
    # "Photo by Wes Okafor", "Photograph: Sile Hanratty/IPS", "Illustration by Orla Vint", "(Foto: dpa)"
    re.compile(
        rf"(?:^|[\s(.—–|-])(?:{_CREDIT})(?:\s+credit)?\s*(?::|/|\bby\b|\bpar\b|\bvon\b|courtesy)"
        r"\s*[^.!?]{2,60}[).]?$",
        re.IGNORECASE,
    ),
    # What pages put around pictures
    re.compile(
        r"^(?:view image in fullscreen|view gallery|enlarge this image|image|image (?:source|caption|credit),.*"
        r"|click to play video.*|\d+ of \d+ \|.*|.*(?:hide caption|toggle caption|purchase licensing rights.*)"
        r"|.*\bcredit\.{3}.*)$",
        re.IGNORECASE,
    ),
    re.compile(r"^\[?(?:IMG|IMAGE|PHOTO|VIDEO|CAPTION|FIGURE)\s?[:\]].*", re.IGNORECASE),
    re.compile(r"\b(?:Getty Images|Shutterstock|iStock|Reuters file|via AP|AP file|AP Photo)\b[^.!?]{0,30}\)?\.?$"),
)


def furniture_kind(line: str) -> Furniture | None:
    """What kind of furniture a line is by itself, or None where it may be story."""
    words = len(line.split())
    short = words <= _CAPTION_WORDS and len(line) <= _CAPTION_CHARACTERS
    if short and any(pattern.search(line) for pattern in _CREDITS):
        return Furniture.CREDIT
    if short and _TRUNCATED.fullmatch(line):
        return Furniture.TRUNCATED
    if words > _MOST_WORDS or len(line) > _MOST_CHARACTERS:
        return None
    if words >= _SHOUTED_WORDS and line.isupper() and line[-1] not in ".!?":
        return Furniture.PROMOTION
    kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(line)), None)
    if line.endswith(".") and words >= _SENTENCE_WORDS:
        return None if kind in _LABELS else kind
    return Furniture.NAVIGATION if kind is None and _is_menu(line) else kind


def _is_menu(line: str) -> bool:
    words = line.split()
    known = sum(_MENU_WORD.fullmatch(word) is not None for word in words)
    items = _ITEM_GAP.split(line)
    return (len(words) >= _MENU_WORDS and known >= _MENU_SHARE * len(words)) or (
        len(items) >= _MENU_ITEMS and all(0 < len(item) <= _ITEM_CHARACTERS for item in items)
    )
