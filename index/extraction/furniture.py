"""What web pages put around and into stories, recognised by the names of boxes and by links.

Names are read as words, so that "related" is found in article__related-links and RelatedBox and "ad"
not in "header". `index.cleaning.furniture` knows the same things by their wording.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from index.cleaning.furniture import Furniture, furniture_kind
from index.extraction import phrases
from index.extraction.blocks import Block, Box, letters_in, name_words
from index.extraction.phrases import compiled

# Words in the names of boxes that are no part of the story, as publishers and their systems use them.
_APART_WORDS = frozenset(
    """
    related recommended recommendation recommendations recirculation recirc outbrain taboola popular trending
    teaser teasers promo promos promotion promobox crosslink crosslinks readmore upsell
    newsletter newsletters signup signin subscribe login register paywall piano
    share sharing shares social follow toolbar tools print
    comments comment commenting disqus breadcrumb breadcrumbs nav navigation navbar menu footer sidebar
    advert adverts advertisement advertising advertorial ads ad adslot dfp sponsor sponsored banner
    tags taglist keywords topics author authors byline bylines bio biography credit credits copyright timestamp
    cookie cookies consent gdpr modal popup overlay poll quiz rating ratings carousel slider masthead
    playlist caption captions legend infobox factbox pullquote visually
    """.split()
)
_APART_PAIRS = (
    ("read", "more"), ("read", "also"), ("read", "next"), ("more", "on"), ("more", "from"), ("more", "stories"),
    ("see", "also"), ("most", "read"), ("up", "next"), ("also", "like"), ("pull", "quote"), ("info", "box"),
    ("fact", "box"), ("sr", "only"), ("author", "box"), ("tag", "list"), ("article", "tags"), ("latest", "news"),
)  # fmt: skip
_APART_TAGS = frozenset(("nav", "footer", "aside", "form", "figure", "figcaption", "dialog"))
# Names of the text itself count before words such as "sidebar" in "article__content--with-sidebar".
_TEXT_NAME = re.compile(
    r"(?:^|\s)(?:article|story|entry|post|news)[-_]{0,2}(?:body|content|text|copy)(?=[-_\s]|$)", re.I
)
_STANDFIRST_SURE = frozenset("standfirst dek deck strapline chapeau subline sapo entradilla perex".split())
_STANDFIRST_WORDS = frozenset(
    """
    subtitle subheadline subhead subheading summary lead lede intro introduction excerpt
    description strapline chapeau ingress vorspann teaser subline sapo abstract bajada entradilla copete
    sottotitolo occhiello manchet perex preamble underrubrik undertittel
    """.split()
)


def apart_marks(box: Box) -> frozenset[str]:
    """The words for which a box may be set apart from the story; empty for a box like any other."""
    marks = _marks_of(box.name) if box.name else frozenset[str]()
    if box.tag in _APART_TAGS:
        marks |= {f"<{box.tag}>"}
    return marks | {"hidden"} if box.hidden else marks


@lru_cache(maxsize=8192)
def _marks_of(name: str) -> frozenset[str]:
    words = name_words(name)
    marks = words & _APART_WORDS | {f"{a} {b}" for a, b in _APART_PAIRS if a in words and b in words}
    return frozenset() if marks and _TEXT_NAME.search(name) else frozenset(marks)


def standfirst_rank(box: Box) -> int:
    """Whether a box is named as the summary between headline and story is: 2 for sure, 1 perhaps, 0 no."""
    return 2 if box.words & _STANDFIRST_SURE else 1 if box.words & _STANDFIRST_WORDS else 0


# "Read more: ...", "Lees ook | ...", "À lire aussi > ...": a label, then a link, in any language.
_LABELLED_LINK = re.compile(r"[^:|»>–—]{2,40}\s?[:|»>–—]\s?\S")
_LABELLED_LINK_SHARE = 0.5
_LINK_SHARE = 0.9
# Shorter links may be names in a list, longer ones sentences of the story that are linked whole.
_LINK_WORDS, _LEAST_LINK_WORDS, _LEAST_LINK_LETTERS = 30, 4, 20
# Headings and rows of results may be links.
_LINKED_WHOLE = frozenset(("tr", "h2", "h3", "h4"))
# Kinds of lines that are no story wherever they stand between its paragraphs.
_DROPPED = frozenset(
    {
        Furniture.ADVERT,
        Furniture.CREDIT,
        Furniture.ENDING,
        Furniture.LEGAL,
        Furniture.PROMOTION,
        Furniture.SHARE,
        Furniture.SIGN_UP,
    }
)
_INSERTED = compiled(phrases.INSERTED)
_INSERTED_LENGTH = 400
_CLOCK = re.compile(r"\b\d{1,2}[:.h]\d{2}\b")
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2}月\d{1,2}日")
_BY = compiled(phrases.BY)
_MASTHEAD_WORDS, _MASTHEAD_LETTERS = 16, 120


def leads_elsewhere(block: Block) -> bool:
    """Whether a block is a link to another page, with a label before it at most."""
    words = len(block.text.split())
    if words > _LINK_WORDS:
        return False
    if block.link_share >= _LINK_SHARE:
        return words >= _LEAST_LINK_WORDS or letters_in(block.text) > _LEAST_LINK_LETTERS
    return block.link_share >= _LABELLED_LINK_SHARE and _LABELLED_LINK.match(block.text) is not None


def is_furniture(block: Block) -> bool:
    """Whether a block between paragraphs of the story leads elsewhere or belongs to the site."""
    if block.tag not in _LINKED_WHOLE and leads_elsewhere(block):
        return True
    line = block.text.replace("\n", " ")
    kind = furniture_kind(line)
    if kind is Furniture.AGO:  # "2 hours ago", but "5:40 p.m." is the head of an entry
        return _CLOCK.search(line) is None
    return kind in _DROPPED or (len(line) <= _INSERTED_LENGTH and _INSERTED.search(line) is not None)


def is_masthead(text: str, authors: Sequence[str]) -> bool:
    """Whether a line above a story says who wrote it, where or when."""
    if len(text.split()) > _MASTHEAD_WORDS or letters_in(text) > _MASTHEAD_LETTERS:
        return False
    if (_DATE.search(text) or _CLOCK.search(text)) and text[-1] not in ".!?":
        return True
    folded = text.casefold()
    return _BY.match(text) is not None or any(author.casefold() in folded for author in authors)
