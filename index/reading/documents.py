"""What a reader hands on: the bytes of one document, where they came from, and what they are."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "markdown", "html", "json"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document, not parsed yet.

    `source` says where it is, for people; `weight` is how many bytes of the source it used up, for
    the progress bar. A "json" document is a file, which may hold several records, or a line of JSONL.
    """

    source: str
    kind: Kind
    data: bytes
    weight: int
