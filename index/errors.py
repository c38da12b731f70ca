"""Every error that Dateline raises on purpose.

DatelineError
├── UsageError           what was asked for makes no sense; the command line exits with 2
│   └── QueryError       a search parameter is wrong; HTTP answers 400 and names the field
├── SourceError          one document cannot be read; it is set aside and the run goes on
├── ModelError           the embedding model is missing, broken or not the index's own
├── ClusterError         a cluster that should read and embed cannot be reached, is lost, or cannot do the work
├── BackupError          a backup cannot be made or is not whole, or there is nothing to go back to
└── IndexingError        the index on disk cannot serve
    ├── IndexMissing     there is no index there
    ├── IndexLocked      another process is writing to it
    ├── IndexSealed      it is a backup, to which nobody writes
    ├── IndexUnwritable  the disk is full, fails, or may not be written to
    ├── IndexDamaged     a file is missing or does not hold what the manifest promises
    ├── StoreUnavailable a vector server does not answer, or not in time
    │   ├── StoreIncomplete  it answers, but has lost some of what it should hold
    │   └── StoreChanged     what a search had found was gone before it was looked at
    └── IndexOutdated    the index was written by another format

A message says what happened, where, and what to do next.
"""

MEND_DERIVED = "Run: dateline check --repair"
"""What to do where something is damaged that the catalog can make again."""
MEND_CATALOG = (
    "Restore a backup with: dateline restore BACKUP; or keep what is whole with: dateline rebuild, without sources;"
    " or run: dateline rebuild SOURCE"
)
"""What to do where the catalog is damaged, in the order in which least is lost."""
MEND_STORE = "Run: dateline check --repair --store STORE, on the machine that has the index"
"""What to do where a vector server does not hold what the catalog does."""
MEND_LOST = "Nothing in it can be kept. Restore a backup with: dateline restore BACKUP; or run: dateline rebuild SOURCE"
"""What to do where nothing of the catalog can be read."""


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


class ClusterError(DatelineError):
    """A cluster that should read and embed cannot be reached, is lost, or its workers cannot do the work."""


class BackupError(DatelineError):
    """A backup cannot be made or is not whole, or there is no generation to go back to."""


class IndexingError(DatelineError):
    """The index on disk cannot serve."""


class IndexMissing(IndexingError):
    """There is no index at the path."""


class IndexLocked(IndexingError):
    """Another process is writing to the index."""


class IndexSealed(IndexingError):
    """The index is a backup, to which nobody writes."""


class IndexUnwritable(IndexingError):
    """The disk is full, fails, or may not be written to; `what` could not be written for this `reason`."""

    def __init__(self, what: str, reason: object) -> None:
        super().__init__(
            f"{what} could not be written ({reason}). See to the disk and run the command again; what was stored"
            " before is kept."
        )


class IndexDamaged(IndexingError):
    """A file of the index is missing or is not what the manifest promises."""


class StoreUnavailable(IndexingError):
    """A vector server at an address did not do `what` it was asked, for this `reason`, in so many tries."""

    def __init__(self, address: str, what: str, reason: str, tries: int = 1) -> None:
        again = f" after {tries} tries" if tries > 1 else ""
        super().__init__(
            f"{address} did not answer when asked for {what}{again} ({reason}). See that it runs and can be reached;"
            " what the index on the writer's disk holds is safe."
        )


class StoreIncomplete(StoreUnavailable):
    """A vector server does not hold all that was published, as `what` shows."""

    def __init__(self, address: str, what: str) -> None:
        IndexingError.__init__(
            self,
            f"{address} does not hold all that was published ({what}): it is still loading, or has lost some. Wait,"
            f" or see to the server. {MEND_STORE}",
        )


class StoreChanged(StoreUnavailable):
    """What a search had found was replaced before it was looked at."""

    def __init__(self, address: str) -> None:
        IndexingError.__init__(self, f"{address} was changed while it was searched. Search again.")


class IndexOutdated(IndexingError):
    """The index was written in a format that this version does not read."""
