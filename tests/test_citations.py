import pytest

from index.article import Article
from web.citations import citation


def article(**more):
    return Article(id="a", title="Ferry crews call off strike", text="…", **more)


@pytest.mark.parametrize(
    ("more", "address", "shown"),
    [
        ({}, None, "“Ferry crews call off strike”."),
        ({"authors": ("Lyra Dunmore",), "source": "Harbour Wire", "published": "2025-08-20T15:07:00"}, "https://x.example/1",
         "Lyra Dunmore, “Ferry crews call off strike”, Harbour Wire, 20 August 2025, https://x.example/1."),
        ({"authors": ("A B", "C D", "E F")}, None, "A B, C D and E F, “Ferry crews call off strike”."),
        ({"authors": ("A B", "C D", "E F", "G H")}, None, "A B, C D, E F et al., “Ferry crews call off strike”."),
    ],
)  # fmt: skip
def test_citations(more, address, shown):
    assert citation(article(**more), address) == shown
