"""Character references that stand for no character, which lxml passes on as what cannot be decoded."""

import re

_REFERENCE = re.compile(r"&#(?:(\d{1,7})|[xX]([0-9a-fA-F]{1,6}));")
_NO_CHARACTER = "\ufffd"


def without_impossible(text: str) -> str:
    """XML with a replacement character for each reference to what XML may not hold: controls, surrogates, no number."""
    return _REFERENCE.sub(_possible, text)


def _possible(match: re.Match[str]) -> str:
    code = int(match[1]) if match[1] else int(match[2], 16)
    allowed = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return match[0] if allowed else _NO_CHARACTER
