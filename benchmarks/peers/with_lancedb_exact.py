"""LanceDB's hybrid search with exact vectors, which its documentation advises for up to 100,000 rows."""

from functools import partial

from protocol import main
from with_lancedb import build, open_index

if __name__ == "__main__":
    main(build, partial(open_index, exact=True))
