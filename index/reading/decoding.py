"""From bytes to text, whatever the encoding, which is hardly ever declared.

A byte order mark decides; then UTF-8, which no other text looks like, with damage or with lines in
another encoding where most of it is UTF-8; then the code pages of the Latin script, Windows-1252
first, and of the Cyrillic; then what charset-normalizer takes it for. The one module that knows charset-normalizer.
"""

import codecs
import re

from index.errors import SourceError
from index.reading.code_pages import cyrillic_encoding, latin_encoding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Enough to tell an encoding by; reading all of a long file would only be slower.
_SAMPLE_BYTES = 64 * 1024
# A text may hold a stray control character, a program or a picture holds many.
_MOST_CONTROL_SHARE = 0.02
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 27})
# In UTF-16 every other byte of most Western text is 0; no text in another encoding has such a share.
_LEAST_ZERO_SHARE = 0.4
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
# Letters beyond ASCII stand alone or in pairs in a Latin text, and by the word in all others.
_RUN = re.compile(rb"[\x80-\xff]{3,}")
_ASCII = bytes(range(128))


def decoded(data: bytes) -> str:
    """`data` as text: by its byte order mark, as UTF-8, or by the encoding it looks most like.

    Raises SourceError when it is empty or not text.
    """
    if not data.strip():
        raise SourceError("empty")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if (unmarked := _bare_utf16(data)) is not None:
        return data.decode(unmarked, "replace")
    controls = len(data) - len(data.translate(None, _CONTROL))
    if controls > _MOST_CONTROL_SHARE * len(data):
        raise SourceError("not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _mostly_utf8(data) or data.decode(guessed_encoding(data), "replace")


def guessed_encoding(data: bytes) -> str:
    """The encoding that `data`, which is no UTF-8, looks most like. Raises SourceError when it looks like none."""
    if _is_latin(data):
        return latin_encoding(data)
    if (cyrillic := cyrillic_encoding(data)) is not None:
        return cyrillic
    from charset_normalizer import from_bytes

    best = from_bytes(_sample(data)).best()
    if best is None:
        raise SourceError("not text in any known encoding")
    return str(best.encoding)


def _is_latin(data: bytes) -> bool:
    high = len(data.translate(None, _ASCII))
    return sum(len(run) for run in _RUN.findall(data)) * 2 <= high


def _sample(data: bytes) -> bytes:
    """Lines of `data` that have something to tell."""
    if len(data) <= _SAMPLE_BYTES:
        return data
    lines: list[bytes] = []
    size = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            lines.append(line[:_SAMPLE_BYTES])
            size += len(lines[-1])
        if size > _SAMPLE_BYTES:
            break
    return b"\n".join(lines)


def _bare_utf16(data: bytes) -> str | None:
    """UTF-16 without its mark, which the zeros in it give away."""
    sample = data[: _SAMPLE_BYTES & ~1]
    if len(sample) < 4:
        return None
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > _LEAST_ZERO_SHARE * 2 * pairs and not first:
        return "utf-16-le"
    return "utf-16-be" if first > _LEAST_ZERO_SHARE * 2 * pairs and not second else None


def _mostly_utf8(data: bytes) -> str | None:
    """`data` as UTF-8 with a few bytes lost, or with lines in another encoding; None if it is not UTF-8 at all."""
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    kept = len(_BEYOND_ASCII.findall(text)) - lost
    # Text in another encoding hardly ever holds what is valid UTF-8 beyond ASCII; of the Latin ones, never a line.
    if kept <= lost and not (kept and _is_latin(data)):
        return None
    lines = data.split(b"\n")
    foreign = [number for number, line in enumerate(lines) if _is_foreign(line)]
    if not foreign:
        return text
    texts = text.split("\n")
    encoding = guessed_encoding(b"\n".join(lines[number] for number in foreign))
    for number in foreign:
        texts[number] = lines[number].decode(encoding, "replace")
    return "\n".join(texts)


def _is_foreign(line: bytes) -> bool:
    """Whether a line is rather in another encoding than UTF-8 with damage."""
    if line.isascii():
        return False
    text = line.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    return lost > len(_BEYOND_ASCII.findall(text)) - lost
