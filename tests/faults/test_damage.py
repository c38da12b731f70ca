"""The short form of damage.py: each kind of damage to some of the files of a small index."""

import pytest
from damage import COLUMNS, Report, make_template, run, template_in_child

TRIALS, FEWER_ARTICLES, SEED = 30, 40, 11


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("damage")
    return run(template_in_child(folder, make_template, FEWER_ARTICLES, SEED), folder, TRIALS, SEED)


def test_no_damage_is_silent_fatal_or_beyond_its_advice(report: Report) -> None:
    assert report.failures == []


def test_the_trials_did_what_they_should(report: Report) -> None:
    found = {column: sum(row[column] for row in report.counts.values()) for column in COLUMNS}
    assert found["trials"] >= TRIALS - 5  # some damages change nothing
    assert found["check: found"] > found["harmless"]
    assert found["repaired"]
    assert found["refused"] == found["salvaged"] + found["from sources"]
