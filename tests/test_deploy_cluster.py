"""Files for those who run more than one machine: what they call exists, nothing is secret, unpinned or powerful."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import yaml
from test_deploy import OTHER_VARIABLES, leaves

from index.command_line import command_line
from index.configuration import options_of
from index.milvus.address import StoreAddress
from web.app import create_app
from web.cli import COMMANDS

PROJECT = Path(__file__).parent.parent
CLUSTER = PROJECT / "deploy" / "cluster"
KUBERNETES = CLUSTER / "kubernetes"
PAGE = PROJECT / "docs" / "scaling.md"
MANIFESTS = sorted(
    path for path in KUBERNETES.rglob("*.yaml") if path.name not in ("values.yaml", "kustomization.yaml")
)
# Not what prepare.sh has made there.
MADE = {CLUSTER / "data", CLUSTER / "secrets"}
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file() and not MADE & set(path.parents))
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
EXTRAS = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
PROJECT_IMAGES = ("dateline-replica", "dateline-full")
# Read by index/milvus/address.py beside the address itself.
STORE_VARIABLES = {"DATELINE_STORE_TOKEN"}
# What tests/cluster/ reads.
TEST_VARIABLES = {"DATELINE_CLUSTER"}
SECRET_NAMES = re.compile(r"(?i)password|secret|token|access_?key|private_?key")
# Names of files and of other objects, not what is in them.
REFERENCES = re.compile(r"_FILE$|Name$|^secrets?$|^secretKeyRef$|^existingSecret$|^automountServiceAccountToken$")


@cache
def compose() -> dict:
    return yaml.safe_load((CLUSTER / "compose.yaml").read_text("utf-8"))


def services() -> dict:
    return compose()["services"]


@cache
def documents(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def objects(kind: str) -> dict[str, dict]:
    """All objects of a kind, by name."""
    found = [document for path in MANIFESTS for document in documents(path) if document["kind"] == kind]
    return {one["metadata"].get("name") or one["metadata"]["generateName"]: one for one in found}


def templates() -> Iterator[tuple[str, dict]]:
    """Every pod that a manifest has started, with its name."""
    for name, one in (objects("Deployment") | objects("Job")).items():
        yield name, one["spec"]["template"]
    for name, one in objects("CronJob").items():
        yield name, one["spec"]["jobTemplate"]["spec"]["template"]
    for name, one in objects("RayCluster").items():
        yield f"{name}-head", one["spec"]["headGroupSpec"]["template"]
        for group in one["spec"]["workerGroupSpecs"]:
            yield f"{name}-{group['groupName']}", group["template"]


TEMPLATES = dict(templates())


def containers(template: dict) -> list[dict]:
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def values() -> dict:
    return yaml.safe_load((KUBERNETES / "milvus" / "values.yaml").read_text("utf-8"))


def project_image(image: str) -> str | None:
    """The name of an image of ours, without where it is kept."""
    name = image.rsplit("/", 1)[-1].partition(":")[0]
    return name if name in PROJECT_IMAGES else None


def entries(value, path=()) -> Iterator[tuple[tuple, object]]:
    """Every scalar of a document, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from entries(inner, (*path, str(key)))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from entries(inner, (*path, at))
    else:
        yield path, value


# Command lines and settings


@pytest.fixture
def parse(monkeypatch):
    """Reads the words of a command line as Dateline would, without running it; says which command it is."""
    group, called = command_line(COMMANDS), []
    for words, command in leaves(group):
        monkeypatch.setattr(command, "callback", lambda words=words, **options: called.append(words))

    def read(words):
        try:
            group.main(words, standalone_mode=False)
        except click.ClickException as error:
            raise AssertionError(f"{shlex.join(words)}: {error.format_message()}") from error
        return called[-1]

    return read


def test_the_page_shows_command_lines_that_dateline_has(parse):
    lines = re.findall(r"^ {4,}(dateline .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(lines) >= 10
    for line in lines:
        parse(shlex.split(line, comments=True)[1:])


def test_the_page_has_no_gaps_for_figures():
    assert "{{" not in PAGE.read_text("utf-8")


def test_compose_calls_what_exists(parse):
    for name in ("replica-1", "replica-2"):
        assert parse(services()[name]["command"]) == ("serve",)
    script = services()["writer"]["entrypoint"][2]
    [line] = re.findall(r"do dateline (add .*?);", script)
    assert parse(shlex.split(line.replace("$$FEEDS", services()["writer"]["environment"]["FEEDS"]))) == ("add",)


def shown_to_compose(path: Path) -> list[list[str]]:
    """What a document has the writer do, once."""
    found = re.findall(r"run --rm (?:-v \S+ )?writer (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("path", [CLUSTER / "compose.yaml", PAGE], ids=lambda path: path.name)
def test_what_the_writer_is_asked_to_do_exists(path, parse):
    assert {parse(words)[0] for words in shown_to_compose(path)} >= {"rebuild", "keys"}


def test_pods_call_what_exists(parse):
    called = {
        name: parse(container["args"])
        for name, template in TEMPLATES.items()
        for container in containers(template)
        if project_image(container["image"]) and "command" not in container
    }
    assert called == {"dateline": ("serve",), "dateline-add": ("add",), "dateline-rebuild-": ("rebuild",)}


@pytest.mark.parametrize("path", [*FILES, PAGE], ids=lambda path: path.name)
def test_variables_are_ones_that_dateline_reads(path):
    known = OTHER_VARIABLES | STORE_VARIABLES | TEST_VARIABLES | {
        name for _, command in leaves(command_line(COMMANDS)) for option in options_of(command).values()
        for name in option.envvar
    }  # fmt: skip
    assert set(re.findall(r"\bDATELINE_[A-Z_]+", path.read_text("utf-8"))) <= known


def parsed_address(text: str, folder: Path) -> tuple[StoreAddress, str]:
    """An address, with a token that is there, and the file that it would come from."""
    [named] = re.findall(r"token-file=([^&]+)", text)
    (folder / "token").write_text("root:of a test\n", "utf-8")
    return StoreAddress.parse(text.replace(named, str(folder / "token"))), named


def test_compose_says_where_the_store_is(tmp_path):
    for name in ("replica-1", "replica-2", "writer"):
        service = services()[name]
        address, token = parsed_address(service["environment"]["DATELINE_STORE"], tmp_path)
        [host] = [host.partition(":")[0] for host in address.hosts]
        assert host in services()
        assert set(services()[host]["networks"]) & set(service["networks"])
        assert token == f"/run/secrets/{service['secrets'][0]}"


def test_manifests_say_where_the_store_is_encrypted_and_in_copies(tmp_path):
    settings = objects("ConfigMap")["dateline"]["data"]
    address, token = parsed_address(settings["DATELINE_STORE"], tmp_path)
    assert address.tls
    assert address.replicas == values()["queryNode"]["replicas"] >= 2
    for name in ("dateline", "dateline-add", "dateline-rebuild-"):
        [container] = TEMPLATES[name]["spec"]["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "dateline"}}]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(Path(token).parent), str(address.ca.parent)} <= mounted
    [replica] = TEMPLATES["dateline"]["spec"]["containers"]
    assert str(Path(settings["DATELINE_KEYS_FILE"]).parent) in {mount["mountPath"] for mount in replica["volumeMounts"]}


def test_ray_is_where_the_rebuild_looks_for_it():
    [name] = objects("RayCluster")
    head = objects("RayCluster")[name]["spec"]["headGroupSpec"]
    [rebuild] = TEMPLATES["dateline-rebuild-"]["spec"]["containers"]
    on = rebuild["args"][rebuild["args"].index("--on") + 1]
    assert on == f"ray://{name}-head-svc:{head['rayStartParams']['ray-client-server-port']}"
    images = {container["image"] for pod in TEMPLATES.values() for container in containers(pod)}
    assert {image for image in images if "ray" in image} == set()  # one image, so code and model are of one version
    assert rebuild["image"] in images


# Probes


def routes() -> set[str]:
    return {rule.rule for rule in create_app(lambda: None, Path()).url_map.iter_rules()}


def test_probes_ask_what_a_server_has():
    [container] = TEMPLATES["dateline"]["spec"]["containers"]
    asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked["readinessProbe"]["path"] == "/readyz"
    assert asked["livenessProbe"]["path"] == asked["startupProbe"]["path"] == "/healthz"
    assert {probe["path"] for probe in asked.values()} <= routes()
    assert {probe["port"] for probe in asked.values()} <= {port["name"] for port in container["ports"]}
    for name in ("replica-1", "replica-2"):
        [path] = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", services()[name]["healthcheck"]["test"][-1])
        assert path in routes()


def test_the_proxy_asks_replicas_whether_they_are_ready():
    text = (CLUSTER / "Caddyfile").read_text("utf-8")
    [upstreams] = re.findall(r"reverse_proxy (.*) \{", text)
    assert upstreams.split() == [f"{name}:8000" for name in services() if name.startswith("replica")]
    [path] = re.findall(r"health_uri (\S+)", text)
    assert path in routes()
    assert services()["proxy"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "\n:8080 {\n" in text


@pytest.mark.parametrize("name", [name for name in TEMPLATES if "ray" in name])
def test_probes_of_other_pods_ask_ports_that_they_have(name):
    for container in containers(TEMPLATES[name]):
        ports = {port["name"] for port in container["ports"]}
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["tcpSocket"]["port"] in ports


# Versions


def images() -> Iterator[str]:
    yield from (service["image"] for service in services().values())
    for template in TEMPLATES.values():
        yield from (container["image"] for container in containers(template))
    milvus = values()["image"]["all"]
    yield f"{milvus['repository']}:{milvus['tag']}"
    for image in documents(KUBERNETES / "kustomization.yaml")[0]["images"]:
        yield f"{image['newName']}:{image['newTag']}"


def test_images_are_of_named_versions_and_ours_of_this_one():
    for image in images():
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if project_image(image):
            # Without a tag it is for kustomize to say which.
            assert tag == VERSION or (not tag and image in PROJECT_IMAGES), image
        else:
            assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag), image
            assert "latest" not in tag


def test_kustomize_says_which_images_of_ours():
    [kustomization] = documents(KUBERNETES / "kustomization.yaml")
    listed = {image["name"] for image in kustomization["images"]}
    assert listed == set(PROJECT_IMAGES)


def test_one_milvus_everywhere_and_one_that_finds_words():
    tags = {image.rpartition(":")[2] for image in images() if "milvusdb/milvus:" in image}
    [tag] = tags
    assert tuple(map(int, tag.lstrip("v").split("."))) >= (2, 5)
    told = set(re.findall(r"--version (4\.\d+\.\d+)", (KUBERNETES / "milvus" / "values.yaml").read_text("utf-8")))
    assert told == set(re.findall(r"--version (4\.\d+\.\d+)", PAGE.read_text("utf-8")))


def test_images_are_built_with_what_this_version_needs():
    stages = (PROJECT / "Dockerfile").read_text("utf-8")
    wanted = set()
    for name in ("replica-1", "writer"):
        build = services()[name]["build"]
        assert (CLUSTER / build["context"]).resolve() == PROJECT
        assert f" AS {build['target']}\n" in stages
        assert all(f"ARG {argument}=" in stages for argument in build["args"])
        wanted |= set(re.findall(r"\w+", build["args"]["EXTRAS"]))
    assert wanted <= set(EXTRAS)
    assert services()["replica-1"]["build"]["args"]["PACKAGES"] in EXTRAS["milvus"]


def test_ray_is_of_a_version_that_the_extra_takes():
    requirements = pytest.importorskip("packaging.requirements", reason="packaging is not installed")
    [cluster] = objects("RayCluster").values()
    ranges = [requirements.Requirement(line) for line in EXTRAS["ray"]]
    assert all(one.specifier.contains(cluster["spec"]["rayVersion"]) for one in ranges if one.name == "ray")


# Secrets


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_no_value_is_a_secret(path):
    for document in documents(path):
        assert document.get("kind") != "Secret"
        for where, value in entries(document):
            keys = [key for key in where if isinstance(key, str)]
            named = any(SECRET_NAMES.search(key) for key in keys)
            if named and isinstance(value, str) and not any(REFERENCES.search(key) for key in keys):
                raise AssertionError(f"{path.name}: {'.'.join(map(str, where))} = {value}")
            # In a list of variables, name and value stand apart.
            if (
                keys[-1:] == ["name"]
                and isinstance(value, str)
                and SECRET_NAMES.search(value)
                and "env" in str(keys).lower()
            ):
                assert (*where[:-1], "value") not in dict(entries(document)), value


@pytest.mark.parametrize("path", [*FILES, PAGE], ids=lambda path: path.name)
def test_no_password_stands_in_an_address_or_is_a_known_one(path):
    text = path.read_text("utf-8")
    assert not re.search(r"://[^/\s@]*:[^/\s@$]+@", text)
    assert not re.search(r"minioadmin|root:Milvus|BEGIN [A-Z ]*PRIVATE KEY", text)


@pytest.fixture
def prepared(tmp_path):
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("prepare.sh gives folders to other users, which only root can do")
    if shutil.which("install") is None or shutil.which("od") is None:
        pytest.skip("there is no install or od here")
    subprocess.run(["sh", CLUSTER / "prepare.sh", tmp_path], check=True, capture_output=True, timeout=30)
    return tmp_path


def test_secrets_are_made_at_random_and_agree(prepared):
    found = {path.name: path.read_text("utf-8") for path in (prepared / "secrets").iterdir()}
    assert set(found) == set(compose()["secrets"])
    milvus = yaml.safe_load(found["milvus.yaml"])
    assert milvus["common"]["security"] == {
        "authorizationEnabled": True,
        "defaultRootPassword": found["store-token"].removeprefix("root:"),
    }
    assert milvus["minio"] == {"accessKeyID": found["minio-user"], "secretAccessKey": found["minio-password"]}
    assert 32 <= len(found["store-token"]) - len("root:") <= 72  # the longest password of Milvus
    assert len({found["store-token"], found["minio-user"], found["minio-password"]}) == 3


def test_secrets_can_be_read_by_containers_and_by_root(prepared):
    assert (prepared / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (prepared / "secrets").iterdir()} == {0o444}


def test_what_was_prepared_is_kept(prepared):
    before = {path.name: path.read_text("utf-8") for path in (prepared / "secrets").iterdir()}
    done = subprocess.run(["sh", CLUSTER / "prepare.sh", prepared], check=True, capture_output=True, timeout=30)
    assert b"is kept" in done.stderr
    assert {path.name: path.read_text("utf-8") for path in (prepared / "secrets").iterdir()} == before


def test_folders_belong_to_who_writes_there(prepared):
    mounted = {}
    for name, service in services().items():
        for mount in service.get("volumes", ()):
            source, _, rest = mount.partition(":")
            if source.startswith("./data/"):
                mounted.setdefault(source, set()).add((name, rest.endswith(":ro")))
    for source, users in mounted.items():
        owner = (prepared / source).stat().st_uid
        for name, _ in users:
            # Ours run as the user whom the Dockerfile makes.
            user = services()[name].get("user", "10001:10001")
            assert str(owner) == user.partition(":")[0], (name, source)
    assert all(read_only for name, read_only in set().union(*mounted.values()) if name.startswith("replica"))


# What containers may do


@pytest.mark.parametrize("name", services())
def test_containers_are_users_who_can_write_next_to_nothing(name):
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) in ([], ["NET_BIND_SERVICE"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert project_image(service["image"]) or int(service["user"].partition(":")[0]) >= 10_000
    assert not set(service) & {"privileged", "network_mode", "pid", "ipc", "devices"}
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert all(mount.startswith("./") for mount in service.get("volumes", ()))


def test_only_the_proxy_and_the_writer_reach_anything_outside():
    internal = {name for name, network in compose()["networks"].items() if network.get("internal")}
    outside = {name for name, service in services().items() if set(service["networks"]) - internal}
    assert outside == {"proxy", "writer"}
    assert not set(services()["proxy"]["networks"]) & set(services()["milvus"]["networks"])


def test_what_others_wait_for_says_when_it_is_ready():
    for service in services().values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert services()[needed]["healthcheck"]["test"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_pods_are_as_restricted_as_their_namespace_wants(name):
    spec = TEMPLATES[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001  # whom the Dockerfile makes
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not set(spec) & {"hostNetwork", "hostPID", "hostIPC"}
    for container in containers(TEMPLATES[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert not any("hostPath" in volume for volume in spec["volumes"])


def test_the_namespace_refuses_more():
    assert objects("Namespace")["dateline"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nobody_may_talk_to_anybody_unless_a_policy_says_so():
    policies = objects("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in TEMPLATES.values()}
    assert components == {"replica", "writer", "ray"}
    chosen = {
        name: policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component")
        for name, policy in policies.items()
    }
    assert set(chosen.values()) == components | {None}
    [replicas] = [policies[name] for name, component in chosen.items() if component == "replica"]
    assert [rule["ports"] for rule in replicas["spec"]["egress"]] == [[{"port": 19530}]]
    [writer] = [policies[name] for name, component in chosen.items() if component == "writer"]
    [public] = [to["ipBlock"] for rule in writer["spec"]["egress"] for to in rule["to"] if "cidr: 0" in yaml.dump(to)]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(public["except"])


# How many of what


def test_one_writer_at_a_time_with_the_truth_on_one_volume():
    job = objects("CronJob")["dateline-add"]["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    claims = objects("PersistentVolumeClaim")
    assert claims["dateline-index"]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    holders = {
        name for name, pod in TEMPLATES.items() for volume in pod["spec"]["volumes"]
        if volume.get("persistentVolumeClaim", {}).get("claimName") == "dateline-index"
    }  # fmt: skip
    assert holders == {"dateline-add", "dateline-rebuild-"}


def test_replicas_keep_nothing_and_there_are_always_some():
    deployment = objects("Deployment")["dateline"]
    labels = TEMPLATES["dateline"]["metadata"]["labels"]
    kinds = {kind for volume in TEMPLATES["dateline"]["spec"]["volumes"] for kind in volume if kind != "name"}
    assert kinds == {"emptyDir", "secret"}
    assert "replicas" not in deployment["spec"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    scaler, budget = objects("HorizontalPodAutoscaler")["dateline"]["spec"], objects("PodDisruptionBudget")["dateline"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "dateline"}
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert budget["spec"]["minAvailable"] < scaler["minReplicas"]
    chosen = (
        deployment["spec"]["selector"]["matchLabels"], budget["spec"]["selector"]["matchLabels"],
        objects("Service")["dateline"]["spec"]["selector"],
    )  # fmt: skip
    assert all(selector.items() <= labels.items() for selector in chosen)


def test_milvus_survives_the_loss_of_any_one_of_what_answers():
    found = values()
    assert found["cluster"]["enabled"]
    assert all(found[part]["replicas"] >= 2 for part in ("proxy", "queryNode", "dataNode", "mixCoordinator"))
    assert found["mixCoordinator"]["activeStandby"]["enabled"]
    settings = yaml.safe_load(found["extraConfigFiles"]["user.yaml"])
    assert settings["common"]["security"] == {"authorizationEnabled": True, "tlsMode": 1}
    [mount] = found["proxy"]["volumeMounts"]
    assert {str(Path(path).parent) for path in settings["tls"].values()} == {mount["mountPath"]}


# Other programs' opinions


def test_every_manifest_is_listed_or_applied_by_hand():
    [kustomization] = documents(KUBERNETES / "kustomization.yaml")
    listed = {KUBERNETES / name for name in kustomization["resources"]}
    by_hand = {path for path in MANIFESTS if f"-f {path.relative_to(PROJECT)}" in path.read_text("utf-8")}
    assert listed | by_hand == set(MANIFESTS)
    assert not listed & by_hand
    named = set(re.findall(r"deploy/cluster/[\w./-]*\w", PAGE.read_text("utf-8")))
    assert all((PROJECT / name).exists() for name in named)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path):
    validation = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for document in documents(path):
        if document["apiVersion"].startswith("ray.io/"):
            pods = [template for name, template in TEMPLATES.items() if name.startswith(document["metadata"]["name"])]
            bare = [{"apiVersion": "v1", "kind": "Pod", "spec": pod["spec"]} for pod in pods]
        else:
            bare = [document]
        for one in bare:
            named = {**one, "metadata": {"name": "one", **one.get("metadata", {})}}
            validation.validate(named, validation.latest_version(), strict=True)


def test_kustomize_makes_one_of_them():
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here")
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert {one["metadata"].get("namespace", "dateline") for one in made} == {"dateline"}
    assert f"registry.example.org/dateline-replica:{VERSION}" in done.stdout


def test_compose_takes_the_file():
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("there is no docker compose here")
    line = ["docker", "compose", "-f", CLUSTER / "compose.yaml", "config", "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
