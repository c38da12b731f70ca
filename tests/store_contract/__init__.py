"""What every `index.store.Store` has to do, as test cases that each back end inherits."""

import pytest

# Before they are imported: these are no test files by name, and their assertions should explain themselves.
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in (
    "evidence", "following", "legs", "nasty", "reading", "scopes",
)))  # fmt: skip
