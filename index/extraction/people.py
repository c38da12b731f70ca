"""Who wrote an article: names out of what systems and bylines say."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from index.extraction.linked import plain

# What says that a name follows, in the languages of most of the world's newspapers. "von" and its kin
# can begin a name, but not one that goes on with a first and a last name.
_BY = re.compile(
    r"(?:(?:written|reported|posted|published|edited|compiled|story|words|text|analysis|opinion|review)\s+)?by\s+"
    r"|(?:(?:text|texte|texto|testo|geschrieben|publié|rédigé|écrit|publicado|escrito|propos recueillis)\s+)?"
    r"(?:von|par|por|door|av|af|przez|(?-i:di))\s+(?=[^\W\d_][\w.’'-]*\s+[^\W\d_]|(?-i:[A-Z]{2,5}\b|dpa\b|afp\b))"
    r"|(?:by|von|par|por|di|authors?|autor(?:in|en|es|a|ka|ka)?|auteurs?|autore|autori|byline|written|words|story|"
    r"text[eo]?|testo|tekst|source|quelle|fuente|fonte|redacteur|автор|текст|文|著者|記者|记者|作者|责编)\s*[:：]\s*",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s+(?:in|aus)\s+[A-ZÀ-ÞŁŠŽ][\w .’'-]{1,40}$"  # "Jane Roe in New Delhi"
    r"|\s+(?:for|pour|für)\s+[A-ZÀ-Þ].{1,60}$"  # "Jane Roe for The Daily Lantern"
    r"|\s*(?:기자|記者|记者)$"
    r"|\s+(?:on|am)\s+[A-Z]\w+(?:day|tag|abend|woch)\b.*$"  # "Jane Roe on Monday"
)
_BRACKETS = re.compile(r"\s*[(\[（［【](?:[^()\[\]（）［］【】]{0,200})[)\]）］】]")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,200}|(?:https?:)?//\S+|\bwww\.\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<!\S)@\w+")
_JOINTS = re.compile(r"\s*(?:[;|\n\t•·、；／]|\s/\s|//)\s*")
_DASHES = re.compile(r"\s+[-–—]+\s+")
_COMMAS = re.compile(r"\s*[,，،]\s*(?:(?:and|und|et|y|e|og|och)\s+)?", re.IGNORECASE)
_AND = re.compile(
    r"\s+(?:and|und|et|y|e|og|och|en|i|ja|ve|и|та|&|\+|with|mit|avec|con|in collaboration with)\s+", re.IGNORECASE
)
_GENERATION = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.?\s?d|m\.?d|mba|esq)\.?", re.IGNORECASE)
_EDGES = ' ,;:|/-–—·•*"“”„«»'

# What people are at a newspaper. A part of a byline with one of these words is no name.
_ROLE = re.compile(
    r"\b(?:\w*(?:reporter|correspond[ea]nt|korrespondent|editor|redakteur|redaktør|redaktör|redacteur|redactor|"
    r"journalist|columnist|kolumnist)(?:in|innen|es|en|a|e|s)?|"
    r"(?:journaliste|rédact(?:eur|rice)|envoyée?|chroniqueu(?:r|se)|periodista|corresponsal|giornalista|inviat[oa]|"
    r"writer|contributor|producer|photographer|photographe|freelancer?|columnist)s?|fotograf(?:in)?|"
    r"freier autor|freie autorin|volontär(?:in)?|chefredaktion|leiter(?:in)?|ressort\w*|head of|director|bureau chief|"
    r"professor|analyst|fellow|lecturer|intern|praktikant(?:in)?|special to|min read)\b",
    re.IGNORECASE,
)
# Signatures of desks, agencies and publishers.
_COLLECTIVE = re.compile(
    r"\b(?:staff|news ?room|newsdesk|desk|team|editors|editorial|redaktion(?:en)?|rédaction|redacción|redazione|"
    r"redactie|redakcja|redakce|toimitus|redação|редакци[яи]|agencies|agentur(?:en)?|agences?|agencias?|agency|"
    r"correspondents|reporters|contributors|bureau|news|nachrichten|noticias|media|magazin|magazine|zeitung|verlag|"
    r"associated press|canadian press|press association|press agency|presse|newspapers?|times|online|network|wire|"
    r"reuters|bloomberg|xinhua|agerpres|tanjug|anadolu|yonhap|kyodo|keystone-sda|gmbh|inc|ltd|llc)\b"
    r"|\.(?:com?|org|net|info|eu|tv|[a-z]{2})$"
    r"|(?:新聞|通信|編集部|取材班|日報|日刊|뉴스|기자단|新华社)",
    re.IGNORECASE,
)
# Agencies by their initials, which as names would be written otherwise: Sid, Efe.
_INITIALS = re.compile(
    r"\b(?:AFP|AP|DPA|APA|ANSA|EFE|EPA|SID|KNA|EPD|NTB|TT|ANP|PTI|ANI|IANS|AAP|TASS|CNN|BBC|UPI|STT|ATS|SDA|PAP|"
    r"ČTK|CTK|MTI|CP|PA|RFE/RL|afp|ap|dpa|apa|sid|kna|epd|efe|ats|lno|dpa-\w+)\b"
)
_NOBODY = frozenset("""
    admin administrator author authors autor auteur webmaster editor root user guest anonymous none null undefined
    unknown test default wordpress website web system import feed api facebook twitter instagram linkedin youtube
    share follow whatsapp by and
""".split())  # fmt: skip
_ADMIN = re.compile(r"\w{0,20}admin\d{0,4}", re.IGNORECASE)
# "Photo Jane Roe", "Bild: Jane Roe": who took the picture.
_CREDIT = re.compile(r"(?:photo(?:s|graph[ys]?)?|fotos?|bild(?:er)?|image|illustration|grafik|video)\b", re.IGNORECASE)
# "20 Minutes" is a newspaper, "March 5" and "12:30" are not.
_DATE = re.compile(r"\d{1,2}:\d\d|\b(?:19|20)\d\d\b|^(?:\w{3,9}\.? )?\d{1,2}(?:st|nd|rd|th)?$")
_LONGEST_NAME, _MOST_WORDS = 80, 8
_MOST_AUTHORS = 60
_LONGEST_LINE = 2_000
_DEEPEST = 5
_FOLD = re.compile(r"[\W_]+")


def folded(name: str) -> str:
    """A name as it is compared: without letter case, punctuation and spaces between words."""
    return _FOLD.sub(" ", name.casefold()).strip()


def people(values: Iterable[Any]) -> tuple[str, ...]:
    """The names in values of linked data or meta tags: texts, objects with a name, lists of these."""
    names: dict[str, str] = {}
    for value in values:
        for line in _lines(value, 0):
            for name in names_in(line):
                key = folded(name)
                # Of "JANE ROE" and "Jane Roe" the second is how she writes herself.
                if key not in names or names[key].isupper():
                    names[key] = name
            if len(names) >= _MOST_AUTHORS:
                break
    return tuple(names.values())[:_MOST_AUTHORS]


def names_in(line: str) -> list[str]:
    """The names in one byline, without roles, places, addresses and what says that they are authors.

    Beside people, an organisation is where they work. A line without people may be signed by one.
    """
    line = _tidied(line)
    if not line:
        return []
    parts = [part for piece in _JOINTS.split(line) for part in _split(piece)]
    names = [(part, name) for part in parts if (name := _name(part))]
    if any(_is_full_name(name) for _, name in names):
        return [name for _, name in names if not is_collective(name)]
    collective = [name for _, name in names if is_collective(name)]
    return collective or [name for _, name in names] or [part for part in parts if _is_signed_by_desk(part)]


def follows_by(line: str) -> list[str]:
    """The names in a line that says that names follow ("By Jane Roe"), or [] where it does not."""
    return names_in(line) if _BY.match(line.lstrip(_EDGES)) else []


def is_collective(name: str) -> bool:
    """Whether a signature is that of a desk, an agency or a publisher rather than of a person."""
    return _COLLECTIVE.search(name) is not None or _INITIALS.search(name) is not None


def _lines(value: Any, depth: int) -> Iterator[str]:
    """The lines in which a value names authors."""
    if isinstance(value, str):
        yield value[:_LONGEST_LINE]
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value[:_MOST_AUTHORS]:
            yield from _lines(item, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        given, family = value.get("givenName"), value.get("familyName")
        if name := value.get("name"):
            yield from _lines(name, depth + 1)
        elif isinstance(given, str) and isinstance(family, str):
            yield f"{given[:_LONGEST_NAME]} {family[:_LONGEST_NAME]}"


def _tidied(line: str) -> str:
    line = plain(line[:_LONGEST_LINE]).replace("\u200b", "").replace("\xad", "")
    line = _HANDLE.sub(" ", _ADDRESS.sub(" ", line))
    return " ".join(_BRACKETS.sub("", line).split()).strip(_EDGES)


def _split(piece: str) -> list[str]:
    """The parts of a byline between commas and words like "and"."""
    parts = [part for comma in _COMMAS.split(piece) for part in _split_slash(comma) if part]
    one_word = [len(part.split()) == 1 for part in parts]
    if len(parts) == 2 and all(one_word) and all(part[:1].isupper() for part in parts) and not _is_taken(parts):
        return [f"{parts[1]} {parts[0]}"]  # "Roe, Jane"
    names: list[str] = []
    for part in parts:
        if names and _GENERATION.fullmatch(part):
            names[-1] += f", {part}"
        else:
            names += _split_and(part)
    # "Jane Roe, Nairobi": a lone word after whole names is where they were.
    if len(parts) > 1 and one_word[-1] and _is_full_name(names[0]) and _is_place(names[-1]):
        names.pop()
    return names


def _split_slash(part: str) -> list[str]:
    """Both sides of "Jane Roe/dpa"; RFE/RL is one name."""
    names = part.split("/")
    return names if any(map(_is_full_name, names)) else [part]


def _is_taken(parts: Iterable[str]) -> bool:
    return any(is_collective(part) or _ROLE.search(part) for part in parts)


def _is_place(word: str) -> bool:
    return word.isalpha() and word[0].isupper() and not word.isupper() and word[1:].islower()


def _split_and(part: str) -> list[str]:
    """The names that "and" joins; "Northern News and AFP" is one signature."""
    names = [name.strip(_EDGES) for name in _AND.split(part)]
    return names if len(names) > 1 and all(map(_is_full_name, names)) else [part]


def _is_full_name(name: str) -> bool:
    """Whether a name has a first and a last name, or is one word in a script that has no spaces or capitals."""
    words = _BY.sub("", name, count=1).split()
    if len(words) == 1:
        return not is_cased(words[0]) and words[0].isalpha() and not is_collective(name)
    return len(words) > 1 and not is_collective(name)


def is_cased(word: str) -> bool:
    """Whether a word is of a script with capitals, in which a name has two words."""
    return word[0].isupper() or word[0].islower()


def _name(part: str) -> str | None:
    """The name in a part of a byline, or None where it is a role or no name at all."""
    part = part.strip(_EDGES)
    while match := _BY.match(part):
        part = part[match.end() :].strip(_EDGES)
    # "Jane Roe - Political Editor"
    name = _once(_AFTER.sub("", _DASHES.split(part, maxsplit=1)[0]).strip(_EDGES))
    if not name or _ROLE.search(name) or len(name) > _LONGEST_NAME or len(name.split()) > _MOST_WORDS:
        return None
    key = folded(name)
    if not key or key in _NOBODY or ":" in name or _CREDIT.match(name) or _ADMIN.fullmatch(key) or _DATE.search(name):
        return None
    return name if any(map(str.isalpha, name)) else None


def _once(name: str) -> str:
    """A name that a page says twice in a row, once for eyes and once for screen readers."""
    words = name.split()
    half = len(words) // 2
    return " ".join(words[:half]) if half and words[:half] == words[half:] else name


def _is_signed_by_desk(part: str) -> bool:
    """Whether a part without a name is how a desk signs: "Lantern staff reporter"."""
    return is_collective(part) and 1 < len(part.split()) <= _MOST_WORDS and len(part) <= _LONGEST_NAME
