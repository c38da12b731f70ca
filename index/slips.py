"""How far a word that was typed lies from one that exists. The one module that knows rapidfuzz.

A slip is a letter too many, too few or wrong, or two neighbouring letters in the wrong order.
"""

import string


def slips(left: str, right: str, most: int) -> int:
    """How many slips lie between two words (optimal string alignment); `most` + 1 for more than `most`."""
    from rapidfuzz.distance import OSA  # few queries have a word that nobody knows

    return OSA.distance(left, right, score_cutoff=most)


def beginnings(word: str) -> list[str]:
    """What words near `word` begin with: its own two letters, or what one slip makes of them and its next letters.

    So a sorted dictionary need not be read through: all words at one slip begin so, and those at more unless
    two slips fall on the first three letters.
    """
    first, second, third = word[:1], word[1:2], word[2:3]
    slipped = [second + third + word[3:4], first + third + word[3:4], second + first + third, first + third + second]
    for letter in string.ascii_lowercase:
        slipped += [letter + second + third, first + letter + third]  # one is wrong
        slipped += [letter + first + second, first + letter + second]  # one is missing
    head = word[:2]
    return [head, *(beginning for beginning in dict.fromkeys(slipped) if not beginning.startswith(head))]
