"""A real Milvus out of processes, for tests, and what happens when they are killed in mid-work.

- `environment` gets the server's programs, or says why there are none here.
- `network` gives each role a network namespace of its own, where the machine lets us.
- `processes` starts, kills and surely ends programs; `kafka_mock` is one.
- `milvus_cluster` is a Milvus out of them: one process, or one for each role. It is a command too.
- `servers` lends one to a test, or skips the test with the reason.
- `faults` is the fault harness, a command that `test_faults` runs too: on a `scene` of a cluster, a writer and readers,
  it keeps `asking` what only one article of `corpus` answers, and at the end holds `ledger` against ledger.
"""
