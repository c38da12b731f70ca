"""The summary that stands between headline and story: a paragraph of the article, but outside its body."""

from index.extraction.blocks import Block, Box, letters_in
from index.extraction.frame import Page, key_of
from index.extraction.furniture import is_furniture, is_masthead, standfirst_rank

# So many blocks may stand between headline and story: picture, byline, share buttons, a summary in points.
_REACH = 40
# Shorter ones are kickers and labels; where only its place speaks for a paragraph, it is a long sentence.
_LEAST_BY_SURE_NAME, _LEAST_BY_NAME, _LEAST_BY_PLACE = 20, 40, 60
_SENTENCE_ENDS = tuple('.!?。…”"»')
_SAME_BEGINNING, _LEAST_SAME = 60, 30
_NAMES_NEAR, _PICTURE_NAMES_NEAR = 3, 4
_MOSTLY_LINK = 0.5
_PICTURE_WORDS = frozenset({"quote", "image", "caption", "photo", "gallery"})
_NO_PLACE = frozenset(("figure", "figcaption", "nav", "aside", "li", "blockquote"))


def find_standfirst(page: Page, first: int) -> int | None:
    """The block between the headline and block `first`, where the story begins, that is the standfirst, if any.

    By what it is named, by the description that the page gives of itself, or by its place alone: the
    first counts most.
    """
    head = _headline(page, first)
    ranked = (
        [(rank, -number) for number in range(head + 1, first) if (rank := _rank(page, number))] if head >= 0 else []
    )
    return -max(ranked)[1] if ranked else None


def _headline(page: Page, first: int) -> int:
    """The block of the headline, or -1."""
    title = key_of(page.evidence.title)
    above = range(max(0, first - _REACH), first)
    if title and (same := next((number for number in above if page.keys[number] == title), None)) is not None:
        return same
    return max((number for number in above if page.blocks[number].tag == "h1"), default=-1)


def _rank(page: Page, number: int) -> int:
    """How much speaks for a block to be the standfirst, 0 to 4."""
    block = page.blocks[number]
    around = [page.boxes[box] for box in page.layout.around(block.box)]
    if not page.keys[number] or _is_something_else(page, block, around):
        return 0
    letters = letters_in(block.text)
    named = max(standfirst_rank(box) for box in around[:_NAMES_NEAR])
    told = _is_description(page.keys[number], key_of(page.evidence.summary))
    placed = block.text.endswith(_SENTENCE_ENDS) and not page.apart[block.box]
    signs = (
        placed and letters >= _LEAST_BY_PLACE,
        named > 0 and letters >= _LEAST_BY_NAME,
        told,
        named > 1 and letters >= _LEAST_BY_SURE_NAME,
    )
    return max((rank for rank, sign in enumerate(signs, start=1) if sign), default=0)


def _is_something_else(page: Page, block: Block, around: list[Box]) -> bool:
    return (
        block.link_share > _MOSTLY_LINK
        or any(box.tag in _NO_PLACE for box in around)
        or any(box.words & _PICTURE_WORDS for box in around[:_PICTURE_NAMES_NEAR])
        or is_furniture(block)
        or is_masthead(block.text, page.evidence.authors)
    )


def _is_description(key: str, summary: str) -> bool:
    same = key in summary or summary[:_SAME_BEGINNING] == key[:_SAME_BEGINNING]
    return len(key) > _LEAST_SAME and bool(summary) and same
