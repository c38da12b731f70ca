"""Every error that Dateline raises on purpose.

DatelineError
├── UsageError           what was asked for makes no sense; the command line exits with 2
│   └── QueryError       a search parameter is wrong; HTTP answers 400 and names the field
├── SourceError          one document cannot be read; it is set aside and the run goes on
├── ModelError           the embedding model is missing, broken or not the index's own
└── IndexingError        the index on disk cannot serve
    ├── IndexMissing     there is no index there
    ├── IndexLocked      another process is writing to it
    ├── IndexDamaged     a file is missing or does not hold what the manifest promises
    └── IndexOutdated    the index was written by another format

A message says what happened, where, and what to do next.
"""


class DatelineError(Exception):
    """Root of the tree: a failure that is explained to the user in one line."""


class UsageError(DatelineError):
    """The request makes no sense as it stands."""


class QueryError(UsageError):
    """A search parameter is wrong; `field` is its public name."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class SourceError(DatelineError):
    """One document cannot be read; the message is the reason it is set aside for."""


class ModelError(DatelineError):
    """The embedding model cannot be loaded or does not fit the index."""


class IndexingError(DatelineError):
    """The index on disk cannot serve."""


class IndexMissing(IndexingError):
    """There is no index at the path."""


class IndexLocked(IndexingError):
    """Another process is writing to the index."""


class IndexDamaged(IndexingError):
    """A file of the index is missing or is not what the manifest promises."""


class IndexOutdated(IndexingError):
    """The index was written in a format that this version does not read."""
