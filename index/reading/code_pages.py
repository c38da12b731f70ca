"""Telling the one-byte encodings of the Latin script apart, and those of the Cyrillic.

They give the same bytes to different letters, so the letters decide: those of a text belong to the
alphabet of one language, those of a wrong reading are strewn over several and stand beside signs.
Windows-1252, in which most Western text without a declaration is, wins unless another is clearly better.
In a Cyrillic text that is read rightly most letters are small and few make up most of it.
"""

import re
import unicodedata
from collections import Counter

# Letters beyond a-z of each alphabet, with those of foreign names that its newspapers print every day.
_ALPHABETS = {
    "French": "àâæçéèêëîïôœùûüÿñö",
    "German": "äöüßéèàçñ",
    "Spanish, Portuguese": "áâãàçéêíñóôõúü",
    "Italian": "àèéìíòóùúî",
    "Scandinavian": "åäöæøéüáàèóêô",
    "Catalan": "àçèéíïòóúü·",
    "Icelandic": "áðéíóúýþæö",
    "Finnish, Estonian": "åäöõüšžé",
    "Polish": "ąćęłńóśźżéüö",
    "Czech, Slovak": "áäčďéěíĺľňóôŕřšťúůýžöü",
    "Hungarian": "áéíóöőúüű",
    "Croatian, Slovene": "čćđšžéü",
    "Romanian": "ăâîșşțţéö",
    "Albanian": "çë",
    "Turkish": "çğıöşüâéİ",
    "Lithuanian": "ąčęėįšųūžé",
    "Latvian": "āčēģīķļņšūžéõ",
}
# A text may have names from all over the West, but one alphabet is the better explanation.
_WESTERN = frozenset("áàâäãåæçéèêëíìîïñóòôöõøœúùûüýÿßšž")
_WESTERN_WEIGHT = 0.8
# In order of preference: what is as good as one before it does not win.
_PAGES = ("cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257", "mac_roman", "cp850", "mac_latin2", "cp852")
# By so much must another page be better than Windows-1252, as a share of what is beyond ASCII. With .12 the
# Hungarian sentence of tests/test_reading_decoding.py goes astray.
_CLEARLY = 0.05
# So few characters prove nothing, unless they make no sense at all.
_FEW, _SENSE_ENOUGH = 3, 0.5
# Signs that may touch a letter, and those that may stand inside a word or before one. The rest ("¹", "£",
# "¶") beside letters were letters in another page.
_BESIDE_LETTERS = frozenset("“”„‘’‚‹›«»–—…•·¿¡©®™\xa0\xad°ªº²³")
_INSIDE_WORDS = frozenset("’‘·–—…\xad\xa0")
_BEFORE_WORDS = frozenset("„‚¿¡")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_ENOUGH = 4_000


def latin_encoding(data: bytes) -> str:
    """The name of the code page that makes most sense of `data`, text in a Latin script."""
    sample = _telling(data)
    best, score = _PAGES[0], _sense(sample.decode(_PAGES[0], "replace"))
    if score >= _SENSE_ENOUGH and len(_BEYOND_ASCII.findall(sample.decode("latin-1"))) <= _FEW:
        return best
    score += _CLEARLY
    for page in _PAGES[1:]:
        found = _sense(sample.decode(page, "replace"))
        if found > score:
            best, score = page, found
    return best


def cyrillic_encoding(data: bytes) -> str | None:
    """The name of the code page in which `data` is a Cyrillic text, or None where it is none."""
    sample = _telling(data)
    shares = {page: _cyrillic_share(sample.decode(page, "replace")) for page in _CYRILLIC_PAGES}
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= _LEAST_CYRILLIC_SHARE else None


def _cyrillic_share(text: str) -> float:
    beyond = _BEYOND_ASCII.findall(text)
    return sum(character in _FREQUENT_CYRILLIC for character in beyond) / len(beyond)


_CYRILLIC_PAGES = ("cp1251", "koi8-u", "cp866", "iso8859-5", "mac_cyrillic")
# In the Russian, Ukrainian, Bulgarian and Serbian sentences of tests/test_reading_decoding.py these ten are 58 to
# 73 % of the letters. Read by the page of another Cyrillic encoding they are 25 % at most, and in the sentences of
# other scripts 31 %.
_FREQUENT_CYRILLIC = frozenset("оаеинтсврл")
_LEAST_CYRILLIC_SHARE = 0.45


def _telling(data: bytes) -> bytes:
    """The lines with bytes beyond ASCII, up to some thousand of these."""
    lines: list[bytes] = []
    found = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            found += sum(byte > 127 for byte in line[: 16 * _ENOUGH])
        if found > _ENOUGH:
            break
    return b"\n".join(lines)[: 256 * 1024]


def _sense(text: str) -> float:
    """How much of what is beyond ASCII in a text makes sense together, 0 to 1."""
    letters: Counter[str] = Counter()
    signs = total = 0
    for match in _BEYOND_ASCII.finditer(text):
        character = match[0]
        total += 1
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        if character.isalpha() and character not in _BESIDE_LETTERS:
            if not (character.isupper() and before.islower()):
                letters[character.lower()] += 1
        elif _is_in_place(character, before.isalpha(), after.isalpha()):
            signs += 1
    if not total:
        return 1.0
    western = sum(count for letter, count in letters.items() if letter in _WESTERN)
    one = max(sum(count for letter, count in letters.items() if letter in alphabet) for alphabet in _ALPHABETS.values())
    return (signs + max(one, _WESTERN_WEIGHT * western)) / total


def _is_in_place(sign: str, after_letter: bool, before_letter: bool) -> bool:
    """Whether a sign can stand between these neighbours."""
    if unicodedata.category(sign) in ("Cc", "Cn", "Co") or sign == "\ufffd":
        return False
    if after_letter and before_letter:
        return sign in _INSIDE_WORDS
    if after_letter and sign in _BEFORE_WORDS:
        return False
    return sign in _BESIDE_LETTERS or not (after_letter or before_letter)
