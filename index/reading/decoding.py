"""From bytes to text."""

import codecs

from index.errors import SourceError

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Enough to tell an encoding by; reading all of a long file would only be slower.
_SAMPLE_BYTES = 64 * 1024
# A text may hold a stray control character, a program or a picture holds many.
_MOST_CONTROL_SHARE = 0.02
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 27})


def decoded(data: bytes) -> str:
    """`data` as text: by its byte order mark, as UTF-8, or by the encoding it looks most like.

    Raises SourceError when it is empty or not text.
    """
    if not data.strip():
        raise SourceError("empty")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    controls = len(data) - len(data.translate(None, _CONTROL))
    if controls > _MOST_CONTROL_SHARE * len(data):
        raise SourceError("not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _damaged_utf8(data) or _guessed(data)


def _damaged_utf8(data: bytes) -> str | None:
    """`data` as UTF-8 with a few bytes lost, if far more of it is UTF-8 than is not."""
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    kept = sum(character > "\x7f" for character in text) - lost
    # Text in another encoding hardly ever holds what is valid UTF-8 beyond ASCII.
    return text if kept > lost else None


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    if best is None:
        raise SourceError("not text in any known encoding")
    return data.decode(best.encoding, "replace")
