"""The short form of backup_kills.py: a few backups and restores that are killed."""

from backup_kills import trials

KILLS, SEED = 4, 3


def test_killed_backups_and_restores_leave_nothing_half(tmp_path):
    done = trials(tmp_path, KILLS, SEED)
    assert done.failures == []
    assert done.counts["backups examined"] >= KILLS
