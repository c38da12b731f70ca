"""What runs a server gives it no more than it needs, and what is installed is looked up among vulnerabilities."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
AUDIT = PROJECT / ".ci" / "audit"
SECRETS = re.compile(r"(?i)(password|secret|token|api_?key|private_?key)\w*\s*[=:]\s*\S")


def stages():
    """The instructions of each stage of the Dockerfile, by its name."""
    found, current = {}, []
    text = re.sub(r"\\\n", " ", (PROJECT / "Dockerfile").read_text("utf-8"))
    for line in text.splitlines():
        if line.startswith("FROM"):
            current = found[line.split()[-1]] = [line]
        elif line and not line.startswith("#"):
            current.append(line)
    return found


def final_stages():
    return {name: lines for name, lines in stages().items() if any(line.startswith("ENTRYPOINT") for line in lines)}


def services():
    return yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))["services"]


def test_no_image_runs_as_root():
    assert set(final_stages()) == {"serve", "full"}
    for name, lines in final_stages().items():
        order = [line.split()[0] for line in lines]
        assert [line for line in lines if line.startswith("USER")] == ["USER dateline"], name
        assert order.index("USER") < order.index("ENTRYPOINT"), name
        assert not set(order[order.index("USER") :]) & {"RUN", "COPY", "ADD"}, name
    assert re.search(r"useradd --system --uid [1-9]\d{3,} ", " ".join(stages()["base"]))


def test_images_are_of_a_named_base_and_fetch_nothing_by_themselves():
    text = (PROJECT / "Dockerfile").read_text("utf-8")
    [base] = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim", base)
    assert {lines[0].split()[1] for lines in stages().values()} <= {"${BASE}", *stages()}
    assert not re.search(r"^ADD|curl|wget|sudo|chmod 777|--privileged|git clone", text, re.MULTILINE)
    assert (PROJECT / ".dockerignore").read_text("utf-8").splitlines()[1] == "*"


def test_what_serves_in_the_image_has_no_compiler_of_models():
    packages = (PROJECT / "requirements-serve.txt").read_text("utf-8")
    assert not re.search(r"^(torch|sentence-transformers|transformers|pip-audit)\b", packages, re.MULTILINE)


def test_containers_can_write_nowhere_and_do_nothing_but_serve():
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/run/dateline"], name
        assert service["mem_limit"], name
        assert not set(service) & {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices", "user"}, name
        assert not [volume for volume in service.get("volumes", ()) if volume.startswith(("/", "."))], name
    serve = services()["serve"]
    assert serve["volumes"] == ["news:/var/lib/dateline:ro"]
    assert all(port.startswith("127.0.0.1:") for port in serve["ports"])


@pytest.mark.parametrize("name", ["dateline.service", "dateline-add.service"])
def test_units_have_no_privileges(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(PROJECT / "deploy" / name, "utf-8")
    wanted = {
        "User": "dateline", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict",
        "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "ProtectKernelTunables": "yes",
        "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes", "SystemCallFilter": "@system-service", "UMask": "0077",
    }  # fmt: skip
    assert {option: unit["Service"][option] for option in wanted} == wanted
    assert unit["Service"]["MemoryMax"]


def test_the_unit_that_serves_can_reach_nobody():
    text = (PROJECT / "deploy" / "dateline.service").read_text("utf-8")
    assert "\nIPAddressDeny=any\n" in text
    assert "\nIPAddressAllow=localhost\n" in text


def test_no_file_for_deployment_holds_a_secret():
    files = [path for path in (PROJECT / "deploy").iterdir() if path.is_file()]
    for path in (PROJECT / "Dockerfile", PROJECT / "compose.yaml", *files):
        assert not SECRETS.search(path.read_text("utf-8")), path.name


# The audit


def package(name, *vulnerabilities):
    vulns = [{"id": id, "aliases": list(aliases), "fix_versions": ["2"]} for id, *aliases in vulnerabilities]
    return {"name": name, "version": "1", "vulns": vulns}


UNKNOWN = {"name": "torch", "skip_reason": "not found"}


@pytest.fixture
def audit(tmp_path):
    def run(report, ignored=""):
        (tmp_path / "audit").write_text(AUDIT.read_text("utf-8"), "utf-8")
        (tmp_path / "audit-ignored").write_text(ignored, "utf-8")
        text = report if isinstance(report, str) else json.dumps({"dependencies": report})
        (tmp_path / "report.json").write_text(text, "utf-8")
        line = [sys.executable, str(tmp_path / "audit"), "--report", str(tmp_path / "report.json")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_known_vulnerability_fails(audit):
    status, told = audit([package("flask"), package("lxml", ("PYSEC-1", "CVE-1")), UNKNOWN])
    assert status == 1
    assert "lxml 1 has PYSEC-1, mended in 2" in told
    assert "2 packages looked up, 1 known vulnerabilities, 0 ignored for a reason" in told
    assert "not known to the service: torch" in told


def test_one_that_is_ignored_for_a_reason_does_not(audit):
    for name in ("PYSEC-1", "CVE-1"):
        status, told = audit([package("lxml", ("PYSEC-1", "CVE-1"))], f"# why\n{name} We never parse XSLT.\n")
        assert (status, "1 ignored for a reason" in told) == (0, True)
    assert audit([package("lxml", ("PYSEC-1",))], "PYSEC-1\n") == (
        1,
        "audit: audit-ignored gives no reason for PYSEC-1\n",
    )


def test_one_that_is_not_reported_any_more_is_to_be_taken_out(audit):
    status, told = audit([package("lxml")], "PYSEC-1 We never parse XSLT.\n")
    assert status == 0
    assert "PYSEC-1 is in audit-ignored and not reported any more" in told


@pytest.mark.parametrize("report", [[UNKNOWN], "", "{}", "no JSON"])
def test_where_nothing_could_be_looked_up_it_says_so_and_fails_nobody(audit, report):
    status, told = audit(report)
    assert status == 0
    assert told.startswith("audit: not done, ")


def test_the_audit_is_part_of_what_runs_from_a_clean_checkout():
    assert ".ci/audit" in (PROJECT / ".ci" / "run").read_text("utf-8").splitlines()[-1]


# The page that says what is defended


def test_what_the_threat_model_points_to_is_there():
    text = (PROJECT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+\.py)`", text))
    present = {path.name for path in (PROJECT / "tests").rglob("test_*.py")}
    assert len(named) > 15
    assert named <= present
    assert {path.name for path in (PROJECT / "tests").glob("test_security_*.py")} <= named
    for name in re.findall(r"`((?:index|search|web|deploy|\.ci)/[\w./-]+)`", text):
        assert (PROJECT / name).exists(), name
