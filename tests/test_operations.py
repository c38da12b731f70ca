"""docs/operations.md against the program: `python tests/test_operations.py --write` brings its tables up to date."""

import re
import sys
from pathlib import Path

import pytest

from index.command_line import command_line
from index.configuration import options_of
from web.cli import COMMANDS
from web.metrics import described

DOCUMENT = Path(__file__).parent.parent / "docs" / "operations.md"


def options_table() -> str:
    """Every option of `dateline serve`, with its variable in the environment, its default and what it is for."""
    rows = ["| option | environment | what |", "|---|---|---|"]
    command = command_line(COMMANDS).commands["serve"]
    for name, option in options_of(command).items():
        value = option.to_info_dict()["default"]
        explained = "[default:" in (option.help or "") or option.is_flag or value is None or option.multiple
        default = "" if explained else f" [default: {option.show_default if name == 'index' else value}]"
        what = re.sub(r"\s+", " ", f"{option.help}{default}").replace("|", "\\|")
        rows.append(f"| `--{name}` | `{option.envvar[0]}` | {what} |")
    return "\n".join(rows)


def metrics_table() -> str:
    """Every metric, its type and what it counts."""
    rows = ["| metric | type | what |", "|---|---|---|"]
    rows += (f"| `{name}` | {kind} | {what} |" for name, kind, what in described())
    return "\n".join(rows)


TABLES = {"options": options_table, "metrics": metrics_table}


def with_table(text: str, name: str, table: str) -> str:
    """The document with a table between its marks."""
    return re.sub(
        rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", lambda found: f"{found[1]}{table}\n{found[2]}", text,
        flags=re.DOTALL,
    )  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_document_says_what_there_is(name):
    text = DOCUMENT.read_text("utf-8")
    assert f"<!-- begin {name} -->" in text
    assert with_table(text, name, TABLES[name]()) == text, "run: python tests/test_operations.py --write"


def test_links_lead_somewhere():
    for page in ("operations", "quickstart", "monitoring", "tuning", "upgrade"):
        text = (DOCUMENT.parent / f"{page}.md").read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (DOCUMENT.parent / target).is_file(), f"{page}.md: {target}"


if __name__ == "__main__" and "--write" in sys.argv:
    written = DOCUMENT.read_text("utf-8")
    for name, table in TABLES.items():
        written = with_table(written, name, table())
    DOCUMENT.write_text(written, "utf-8")
