"""The command line as its users call it, with the fake encoder in place of the model."""

import gzip
import io
import json
import sys

import pytest
from sample import ARTICLES, write_jsonl

from index.command_line import run_command_line
from web.cli import COMMANDS


@pytest.fixture
def dateline(monkeypatch, capsys, load, tmp_path):
    """Runs a command and returns its exit status, standard output and standard error."""
    monkeypatch.setattr("index.encoder.load_encoder", load)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        import search.engine

        monkeypatch.setattr(search.engine.Engine.open.__func__, "__defaults__", (load, None))
        monkeypatch.setattr(sys, "argv", ["dateline", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command_line(COMMANDS)
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


def test_from_rebuild_to_search(dateline, corpus):
    status, out, _ = dateline("rebuild", corpus, "--json")
    report = json.loads(out)
    assert status == 0
    assert report["articles"] == len(ARTICLES)
    assert report["passages"] >= len(ARTICLES)
    assert set(report) == {
        "generation", "articles", "passages", "reused_passages", "set_aside", "seconds", "stages"
    }  # fmt: skip
    status, out, _ = dateline("search", "ferry", "strike", "--json", "-k", "1")
    assert status == 0
    assert json.loads(out)["results"][0]["article"]["id"] == "strike"


def test_results_for_people_name_their_origin(dateline, root):
    status, out, _ = dateline("search", "ferry strike", "--index", root, "--explain")
    assert status == 0
    assert "Ferry crews call off strike" in out
    assert "Harbour Wire" in out
    assert "2025-08-20" in out
    assert "lexical_share" in out


def test_a_word_with_a_minus_is_part_of_the_query(dateline, root):
    _, out, _ = dateline("search", "ferry", "-strike", "--index", root, "--json")
    assert json.loads(out)["interpreted"]["excluded"] == ["strike"]


def test_the_index_may_come_from_the_environment(dateline, root, monkeypatch):
    monkeypatch.setenv("DATELINE_INDEX", str(root))
    assert dateline("stats")[0] == 0


def test_set_aside_documents_are_reported_and_strict_makes_them_fail(dateline, tmp_path):
    bad = tmp_path / "mixed.jsonl"
    bad.write_text(json.dumps(ARTICLES[0]) + "\nnot json\n", "utf-8")
    status, out, err = dateline("rebuild", bad, "--json")
    assert status == 0
    assert json.loads(out)["set_aside"][0]["source"].endswith("mixed.jsonl:2")
    assert "1 document set aside" in err
    assert dateline("rebuild", bad, "--strict")[0] == 1


def test_jsonl_on_standard_input(dateline, monkeypatch, tmp_path):
    articles = write_jsonl(tmp_path / "in.jsonl", ARTICLES).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(articles)))
    assert dateline("rebuild", "-", "--quiet")[0] == 0
    assert json.loads(dateline("stats", "--json")[1])["articles"] == len(ARTICLES)


def test_an_export_rebuilds_the_same_articles(dateline, root, tmp_path):
    dateline("export", "--index", root, "-o", tmp_path / "out.jsonl")
    with gzip.open(tmp_path / "again.jsonl.gz", "wb") as packed:
        packed.write((tmp_path / "out.jsonl").read_bytes())
    dateline("rebuild", tmp_path / "again.jsonl.gz", "--index", tmp_path / "second")
    _, first, _ = dateline("export", "--index", root)
    _, second, _ = dateline("export", "--index", tmp_path / "second")
    assert first == second
    assert len(first.splitlines()) == len(ARTICLES)


def test_add_and_remove(dateline, root, tmp_path):
    extra = write_jsonl(tmp_path / "extra.jsonl", [{"id": "new", "title": "Zeppelin", "text": "A zeppelin landed."}])
    assert json.loads(dateline("add", extra, "--index", root, "--json")[1])["articles"] == 1
    assert json.loads(dateline("remove", "new", ARTICLES[0]["url"], "--index", root, "--json")[1]) == {
        "removed": ["new", "ferry"]
    }
    assert json.loads(dateline("stats", "--index", root, "--json")[1])["articles"] == len(ARTICLES) - 1


def test_check_and_repair(dateline, root):
    assert dateline("check", "--index", root)[0] == 0
    next(root.glob("generations/*/vectors.faiss")).write_bytes(b"garbage")
    status, out, _ = dateline("check", "--index", root)
    assert status == 1
    assert "vectors.faiss" in out
    assert dateline("check", "--repair", "--index", root)[0] == 0
    assert dateline("check", "--index", root)[0] == 0


def test_evaluate_prints_and_writes_a_run(dateline, root, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"id": "1", "text": "ferry aground"}\n')
    (tmp_path / "qrels").write_text("1 0 ferry 1\n")
    options = ("--queries", "q.jsonl", "--qrels", "qrels", "--index", root)
    status, out, _ = dateline("evaluate", *options, "--json", "--run", "run.txt", "--mode", "lexical")
    assert status == 0
    assert json.loads(out)["success@1"] == 1.0
    assert (tmp_path / "run.txt").read_text().startswith("1 Q0 ferry 1 ")
    assert "ndcg@10" in dateline("evaluate", *options)[1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["search", "ferry"], 1, "dateline rebuild"),
        (["add", "nowhere.txt"], 2, "No such file"),
        (["rebuild", "nowhere"], 2, "No such file"),
        (["rebuild"], 1, "No index"),
        (["add"], 2, "Say what to add"),
        (["add", "x.jsonl", "--map", "headline"], 2, "--map"),
        (["add", "x.jsonl", "--since", "yesterday"], 2, "yesterday"),
        (["search"], 2, "Missing argument"),
        (["search", "ferry", "--mode", "magic"], 2, "magic"),
        (["search", "ferry", "--from", "yesterday"], 2, "2025-08-20"),
        (["search", "-k", "0", "ferry"], 2, "0"),
        (["search", "  "], 2, "empty"),
        (["remove", "x"], 1, "No index"),
        (["dance"], 2, "No such command"),
    ],
)
def test_errors_are_one_line_with_the_right_status(dateline, arguments, status, said):
    found, out, err = dateline(*arguments)
    assert found == status
    assert out == ""
    assert err.startswith("dateline: ")
    assert len(err.strip().splitlines()) == 1
    assert said in err


def test_without_a_command_help_is_shown(dateline):
    status, _, err = dateline()
    assert status == 2
    assert "Commands:" in err


def test_the_report_names_what_was_set_aside_and_stats_list_it(dateline, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.txt").write_text("Lobster landings fall\n\nLobster landings fell this year.\n", "utf-8")
    (folder / "empty.html").touch()
    _, out, _ = dateline("rebuild", folder, "--json")
    aside = {"source": str(folder / "empty.html"), "reason": "empty"}
    assert json.loads(out)["set_aside"] == [aside]
    assert dateline("stats", "--set-aside")[1] == f"{aside['source']}: empty\n"
    assert json.loads(dateline("stats", "--set-aside", "--json")[1]) == [{**aside, "origin": aside["source"]}]
