"""What readers see around a headline: who wrote the story."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from index.extraction.people import follows_by, is_cased, is_collective, names_in
from index.extraction.tags import is_aside, is_elsewhere, line_of
from index.extraction.titles import squeezed

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# As far below the headline as bylines and dates stand on the development pages, pictures and buttons
# to share the story included; and as far above it.
_BELOW, _ABOVE = 300, 12
_MOST_HEADINGS = 20
_LONGEST_LINE = 200
_SILENT = frozenset({"script", "style", "noscript", "template", "option", "path", "use", "source", "meta", "link"})

# In class, id, itemprop, rel or data-testid of an element that holds a byline.
_MARK = re.compile(r"(?<![a-z])by-?line|author|autor|auteur|redacteur|signature|(?<![a-z])writer", re.IGNORECASE)
# In the marks of what is about authors but is not their name.
_ABOUT = re.compile(
    r"bio|avatar|caption|media-?box|video|audio|player|image|img|photo|picture|figure|related|teaser|social|follow|comment|count|date|time|role|"
    r"position|title\b|job|recommend|widget|sidebar|latest|popular|quote|share|newsletter|description|email",
    re.IGNORECASE,
)
# The address of a page about a person: /author/jane-roe, /autoren/name/jane-roe, /by/jane-roe.
_PERSON_PAGE = re.compile(
    r"/(?:author|authors|autor|autores|autoren|auteur|auteurs|autore|autori|redakteur|redaktion/autoren|by|byline|"
    r"journalist|journalists|journaliste|people|person|profile|profil|writers?|contributors?|reporters?|"
    r"skribent|forfatter|author[_-]\w+)/[^/?#]",
    re.IGNORECASE,
)


def near_headline(tree: "HtmlElement", title: str | None) -> list["HtmlElement"]:
    """The elements between the headline and the story, then those just above the headline, upwards; asides last.

    Without a headline, those at the top of the article; [] where there is neither.
    """
    headline = _headline(tree, title)
    if headline is not None:
        below = _until_story(_following(headline))
        above = [element for element in islice(_preceding(headline), _ABOVE) if element.tag not in _SILENT]
    else:
        article = next(tree.iter("article", "main"), None)
        below, above = _until_story(article.iterdescendants("*")) if article is not None else [], []
    near = [element for element in (*below, *above) if not is_elsewhere(element)]
    return sorted(near, key=is_aside)


def _until_story(elements: Iterable["HtmlElement"]) -> list["HtmlElement"]:
    """The elements up to where some paragraphs show that the story has begun."""
    found: list[HtmlElement] = []
    paragraphs = 0
    for element in islice(elements, _BELOW):
        if element.tag == "p" and len(line_of(element)) >= _PARAGRAPH:
            paragraphs += 1
            if paragraphs == _PARAGRAPHS:
                break
        if element.tag not in _SILENT:
            found.append(element)
    return found


# The standfirst and a first paragraph may stand above the byline.
_PARAGRAPH, _PARAGRAPHS = 120, 3


def _headline(tree: "HtmlElement", title: str | None) -> "HtmlElement | None":
    wanted = squeezed(title or "")
    headings = list(islice(tree.iter("h1"), _MOST_HEADINGS))
    for heading in (*headings, *islice(tree.iter("h2", "h3"), _MOST_HEADINGS)) if wanted else ():
        own = squeezed(line_of(heading))
        if own and (own in wanted or wanted in own) and 2 * len(own) >= len(wanted):
            return heading
    return headings[0] if headings else None


def _following(element: "HtmlElement") -> Iterator["HtmlElement"]:
    """What comes after an element in the page, its own descendants excepted."""
    for ancestor in (element, *element.iterancestors()):
        for sibling in ancestor.itersiblings("*"):
            yield from sibling.iter("*")


def _preceding(element: "HtmlElement") -> Iterator["HtmlElement"]:
    for ancestor in (element, *element.iterancestors()):
        for sibling in ancestor.itersiblings("*", preceding=True):
            yield from reversed(list(islice(sibling.iter("*"), _ABOVE)))


def shown_people(near: Sequence["HtmlElement"]) -> list[str]:
    """The people whom the page names in its byline, or [] where it names none for certain.

    The surest marks first: a link that says it leads to the author, a link to a person's page, an
    element that is called a byline, a line that begins with "By".
    """
    for sign in (_says_author, _leads_to_person, _is_byline):
        for element in near:
            if sign(element) and (found := _with_neighbours(element, sign)):
                return found
    for element in near:
        if element.tag in _LINES and (line := _short_line(element)):
            found = [name for name in follows_by(line) if _is_person(name)]
            if found:
                return found
    return []


def shown_signatures(near: Sequence["HtmlElement"]) -> list[str]:
    """Whoever signs the article where no person does: an agency, a desk, a pen name."""
    for sign in (_says_author, _is_byline):
        for element in near:
            if sign(element) and len(line := line_of(element)) <= _LONGEST_SIGNATURE and (found := names_in(line)):
                return found
    return []


# "Associated Press", "Lantern Editorial Staff"
_LONGEST_SIGNATURE = 40
_LINES = frozenset({"p", "span", "div", "address", "li", "a"})


def _with_neighbours(element: "HtmlElement", sign: Callable[["HtmlElement"], bool]) -> list[str]:
    """The people in an element, and those beside it: in the same line, or with the same sign."""
    found = _people_in(element)
    around = element
    for _ in range(_LEVELS if found else 0):
        parent = around.getparent()
        if parent is None:
            break
        around = parent
        if _short_line(around) and len(beside := _people_in(around)) > len(found) and set(found) <= set(beside):
            found = beside
    if not found:
        return []
    mark = element.tag, element.get("class")
    alike = [
        other
        for other in islice(around.iterdescendants("*"), _BELOW)
        if (other.tag, other.get("class")) == mark and sign(other)
    ]
    return list(dict.fromkeys((*found, *(name for other in alike for name in _people_in(other)))))


# From a name to the list of all of them: link, item, list.
_LEVELS = 3


def _people_in(element: "HtmlElement") -> list[str]:
    """The people with whom the text of an element begins, up to what is no name."""
    if not _short_line(element):
        return []
    found: list[str] = []
    for piece in element.itertext():
        names = names_in(piece) if not _BETWEEN.fullmatch(piece) else []
        if names and all(map(_is_person, names)):
            found += names
        elif names or not _BETWEEN.fullmatch(piece):
            break
    return found


# Between names: a comma, "and", "By", "Comment by", "Authors:".
_BETWEEN = re.compile(r"\W*(?:(?:\w{1,20}\s)?[^\W\d_]{1,3}|authors?|autor(?:en|es)?|auteurs?)?\W*", re.IGNORECASE)


def _short_line(element: "HtmlElement") -> str:
    """The text of an element where it can be a byline, else nothing."""
    line = line_of(element)
    prose = len(line) > _LONGEST_LINE or sum(word.islower() for word in line.split()) > _MOST_LOWER_CASE
    return "" if prose else line


# "By Jane Roe, our correspondent for the economy of the region" has 8, a sentence of 200 characters 25.
_MOST_LOWER_CASE = 10


def _is_person(name: str) -> bool:
    """Whether a name in a byline is surely a person's: some words with capitals, or one in a script without."""
    words = name.split()
    if is_collective(name) or len(words) > _MOST_NAME_WORDS or any(map(str.isdigit, name)):
        return False
    if not is_cased(name):
        return name[0].isalpha() and len(name) <= (_LONGEST_UNSPACED if len(words) > 1 else _LONGEST_WORD)
    return len(words) > 1 and all(word[0].isupper() or word.lower() in _PARTICLES for word in words)


_PARTICLES = frozenset("""
    de da do dos das del della di du la le las los van von der den dem ter ten zu zur af av bin bint ibn al el y e d
""".split())  # fmt: skip
# "Dr. Maria del Carmen de la Cruz"; names in Chinese, Japanese and Korean have 2 to 5 characters, in
# Hindi and Arabic several words.
_MOST_NAME_WORDS, _LONGEST_UNSPACED, _LONGEST_WORD = 6, 40, 5


def _says_author(element: "HtmlElement") -> bool:
    return "author" in (element.get("rel") or "").split() or element.get("itemprop") == "author"


def _leads_to_person(element: "HtmlElement") -> bool:
    """Whether an element is a link to a person's page, and does not stand in a paragraph."""
    if element.tag != "a" or not _PERSON_PAGE.search((element.get("href") or "")[:500]):
        return False
    parent = element.getparent()
    return parent is None or bool(_short_line(parent))


def _is_byline(element: "HtmlElement") -> bool:
    marks = " ".join(
        value[:300] for name, value in element.attrib.items() if name in _MARKING or name.startswith("data-")
    )
    return _MARK.search(marks) is not None and _ABOUT.search(marks) is None


_MARKING = frozenset({"class", "id", "itemprop"})
