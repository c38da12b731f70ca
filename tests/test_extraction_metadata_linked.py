"""Linked data as publishers break it, and within bounds."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.extraction.linked import linked_data, parse_json, plain, text

WHOLE = '{"@type": "NewsArticle", "headline": "Seals // return", "author": {"name": "Ada"}}'


@pytest.mark.parametrize(
    "script",
    [
        WHOLE,
        f"\n//<![CDATA[\n{WHOLE}\n//]]>\n",
        f"<!-- {WHOLE} -->",
        f"/* <![CDATA[ */ {WHOLE} /* ]]> */",
        f"{WHOLE};",
        f"\ufeff{WHOLE}",
        '{"@type": "NewsArticle", "headline": "Seals // return", "author": {"name": "Ada",},}',
        '{"@type": "NewsArticle", /* draft */ "headline": "Seals // return", // todo\n "author": {"name": "Ada"}}',
        WHOLE.replace('"', "&quot;"),
        WHOLE.replace("Seals // return", "Seals //\treturn"),
        WHOLE.replace("Seals // return", "Seals \\// return").replace("\\//", "\\/\\/"),
        WHOLE.replace("Ada", "\\'Ada"),
        f"{WHOLE}\n{WHOLE}",
        f"[{WHOLE},]",
        f'{{"broken": ] {WHOLE}',
    ],
)
def test_broken_scripts_are_mended(script: str) -> None:
    node = linked_data([script])[0]
    assert (text(node, "headline") or "").split() == ["Seals", "//", "return"]
    assert (text(node, "author") or "").strip("'") == "Ada"


def test_a_script_that_cannot_be_read_leaves_the_others() -> None:
    assert [text(node, "headline") for node in linked_data(["{{{", "", "null", WHOLE])] == ["Seals // return"]


def test_a_node_that_refers_to_itself_ends() -> None:
    node = '{"@type": "Person", "@id": "#a", "author": {"@id": "#a"}}'
    assert linked_data([node])[0]["author"]["@type"] == "Person"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Fish &amp;amp; chips", "Fish & chips"),
        ("a <b>bold</b> move", "a  bold  move"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
    ],
)
def test_markup_and_entities_are_taken_out(value: str, shown: str) -> None:
    assert plain(value) == shown


@settings(deadline=None)
@given(st.text(st.sampled_from('{}[]",:\\/*<!->;a0 \n'), max_size=60))
def test_no_script_is_too_odd(script: str) -> None:
    linked_data([script])


# Each of these took minutes with patterns that look harmless.
HOSTILE = {
    "deep lists": "[" * 300_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "open comments": '{"a":' + "/*" * 200_000,
    "line comments": '{"a":' + "//" * 200_000,
    "escaped quotes": '{"a":' + '"\\' * 200_000,
    "commas": "{" + ", " * 200_000,
    "many values": "{} " * 200_000,
    "closing marks": '{"a":1}' + ";//" * 200_000,
    "opening marks": "// " * 200_000,
    "tags": '{"a":"' + "<a " * 200_000 + '"}',
}


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_script_takes_bounded_time(script: str) -> None:
    start = time.process_time()
    for value in parse_json(script):
        plain(str(value.get("a"))) if isinstance(value, dict) else None
    assert time.process_time() - start < 2
