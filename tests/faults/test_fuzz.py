"""The short form of fuzz.py: what is kept of earlier runs, and a few mutations of it for each target."""

import pytest
from fuzz import targets
from fuzzing import Target, TooSlow, Trial, Until, mutate

SEED, MUTATIONS = 3, 25


def tried(target, folder, mutations=MUTATIONS):
    trial = Trial(target, folder)
    mutate(trial, Until(len(target.corpus()) + mutations, None), SEED)
    return trial.close()


@pytest.mark.parametrize("target", [pytest.param(target, id=name) for name, target in targets().items()])
def test_no_input_does_what_none_should(target, tmp_path):
    record = tried(target, tmp_path)
    assert record.executions == len(target.corpus()) + MUTATIONS
    assert record.failures == {}


def test_inputs_that_fail_are_kept_once_for_each_place_and_as_short_as_they_came(tmp_path):
    def attempt(data):
        if data.startswith(b"a"):
            raise ValueError("an a")

    record = tried(Target("letters", attempt, (b"b", b"aaaa", b"aa", b"aaa")), tmp_path, 0)
    [failure] = record.failures.values()
    assert (failure.what, failure.times) == ("ValueError: an a", 3)
    assert (tmp_path / failure.input).read_bytes() == b"aa"


def test_an_input_that_does_not_end_is_stopped_and_kept(tmp_path):
    def attempt(data):
        while data:
            pass

    record = tried(Target("loops", attempt, (b"x", b""), seconds=0.02), tmp_path, 0)
    assert next(iter(record.failures.values())).what.startswith("fuzzing.TooSlow")
    assert issubclass(TooSlow, BaseException)
    assert not issubclass(TooSlow, Exception)


def test_the_same_seed_makes_the_same_inputs(tmp_path):
    seen = []
    target = Target("all", seen.append, (b"one", b"two three"), (b"word",))
    tried(target, tmp_path, 200)
    first, seen[:] = list(seen), []
    tried(target, tmp_path, 200)
    assert first == seen
    assert len(set(first)) > 100
