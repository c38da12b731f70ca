"""How far a word that was typed lies from one that exists.

A slip is a letter too many, too few or wrong, or two neighbouring letters in the wrong order.
"""

import string


def slips(left: str, right: str, most: int) -> int:
    """How many slips lie between two words (optimal string alignment); `most` + 1 for more than `most`."""
    over, length = most + 1, len(right)
    before, row = [over] * (length + 1), list(range(length + 1))
    for i, letter in enumerate(left, start=1):
        earlier, before, row = before, row, [min(i, over)] + [over] * length
        # Further from the diagonal, more than `most` letters would be too many or too few.
        for j in range(max(1, i - most), min(length, i + most) + 1):
            other = right[j - 1]
            if letter == other:
                row[j] = before[j - 1]
                continue
            cost = 1 + min(before[j - 1], before[j], row[j - 1])
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, 1 + earlier[j - 2])
            row[j] = cost
        if min(row) > most and min(before) > most:
            return over
    return min(row[-1], over)


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
