"""docker-compose.yml and the Dockerfile, as far as they can be checked without an engine."""

import fnmatch
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.packaging.programs import ROOT, run
from tracker_backend.settings import Settings, load, variable

COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SETTINGS = {variable(field.name) for field in msgspec.structs.fields(Settings)}
KNOWN = SETTINGS | {f"{name}_FILE" for name in SETTINGS}


def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE)


def services() -> dict[str, dict[str, Any]]:
    return compose()["services"]


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions with their arguments, stage by stage."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, joined.splitlines()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest.strip()))
    return found


def image_environment() -> dict[str, str]:
    """What the image itself sets."""
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(rest for name, rest in stages()[-1] if name == "ENV")))


def interpolated(text: str, environ: dict[str, str]) -> str:
    """The value as compose reads it: `${NAME:-default}` and `${NAME:?message}`."""
    return re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda it: environ.get(it[1], it[2] or ""), text)


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out: its last pattern that fits decides."""
    parents = [path, *(str(parent) for parent in Path(path).parents)][:-1]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and any(fnmatch.fnmatch(it, pattern) for it in parents):
            ignored = not line.startswith("!")
    return ignored


def test_compose_has_a_database_a_server_and_redis_on_request() -> None:
    assert set(services()) == {"db", "server", "redis"}
    assert re.fullmatch(r"timescale/timescaledb:2\.\d+\.\d+-pg1[78]", services()["db"]["image"])
    assert [name for name, service in services().items() if "profiles" in service] == ["redis"]
    for service in services().values():
        assert service["restart"] == "unless-stopped"
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(compose()["volumes"])
    assert {volume.partition(":")[0] for it in services().values() for volume in it["volumes"]} == set(
        compose()["volumes"]
    )


def test_every_variable_of_the_server_in_compose_is_a_setting() -> None:
    server = services()["server"]["environment"]
    assert set(server) <= KNOWN
    assert set(re.findall(r"\bTRACKER_\w+", COMPOSE)) <= KNOWN


def test_the_servers_environment_is_one_that_it_starts_with() -> None:
    given = {
        name: interpolated(text, {"POSTGRES_PASSWORD": "0123abcd"})
        for name, text in services()["server"]["environment"].items()
    }
    settings = load({**{name: text for name, text in image_environment().items() if name in KNOWN}, **given})
    assert settings.database_url == "postgresql://tracker:0123abcd@db:5432/tracker"
    assert not settings.is_open


def test_the_database_of_the_server_is_the_one_in_compose() -> None:
    database = services()["db"]["environment"]
    url = services()["server"]["environment"]["DATABASE_URL"]
    password = database["POSTGRES_PASSWORD"]
    assert url == f"postgresql://{database['POSTGRES_USER']}:{password}@db:5432/{database['POSTGRES_DB']}"
    assert services()["server"]["depends_on"]["db"] == {"condition": "service_healthy"}
    assert "ports" not in services()["db"]


def test_no_secret_is_written_down_or_left_empty() -> None:
    assert re.findall(r"\$\{POSTGRES_PASSWORD(?!:\?)", COMPOSE) == []
    secret = re.compile("PASSWORD|SECRET|TOKEN|DATABASE_URL")
    values = [
        text
        for service in services().values()
        for name, text in service.get("environment", {}).items()
        if secret.search(name)
    ]
    assert len(values) == 2
    assert all("${POSTGRES_PASSWORD:?" in text for text in values)


def test_the_server_is_reached_from_this_machine_only_unless_asked_otherwise() -> None:
    (port,) = services()["server"]["ports"]
    assert interpolated(port, {}) == "127.0.0.1:8080:8080"
    assert services()["server"]["environment"]["PORT"] == "8080"
    assert [name for name, service in services().items() if "ports" in service] == ["server"]


def test_every_service_has_a_health_check() -> None:
    for name in ("db", "redis"):
        check = services()[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries"} <= set(check)
    assert services()["server"]["build"] == "."
    assert "HEALTHCHECK" in dict(stages()[-1])


def test_docker_itself_reads_the_compose_file() -> None:
    if shutil.which("docker") is None:
        pytest.skip("no docker client on this machine")
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode != 0:
        pytest.skip("the docker client on this machine has no `compose`")
    command = ["docker", "compose", "--file", ROOT / "docker-compose.yml", "--profile", "redis", "config"]
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "POSTGRES_PASSWORD": "0123abcd"}
    read = json.loads(run(*command, "--format", "json", env=environ))
    assert set(read["services"]) == {"db", "server", "redis"}


def test_every_variable_that_the_image_sets_for_the_server_is_a_setting() -> None:
    set_here = image_environment()
    assert {name for name in set_here if name.startswith("TRACKER_")} <= KNOWN
    assert set(re.findall(r"\bTRACKER_\w+", DOCKERFILE)) <= KNOWN
    assert set_here["TRACKER_DATA_DIR"] in dict(stages()[-1])["VOLUME"]
    assert set_here["PORT"] == dict(stages()[-1])["EXPOSE"]


def test_everything_that_the_image_copies_is_there_and_sent_to_the_build() -> None:
    copied = [
        source
        for stage in stages()
        for name, rest in stage
        if name == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]
    assert copied
    assert [source for source in copied if not (ROOT / source).exists() or is_ignored(source)] == []
    for unwanted in (".git", ".venv", ".env", "tests", "tracker_js/node_modules", "tracker_js/dist"):
        assert is_ignored(unwanted), unwanted


def test_everything_that_the_image_copies_between_stages_comes_from_an_earlier_one() -> None:
    names: list[str] = []
    for stage in stages():
        for instruction, rest in stage:
            if match := re.match(r"--from=(\w+)", rest):
                assert instruction == "COPY"
                assert match[1] in names
        names += re.findall(r" AS (\w+)$", stage[0][1])


def test_the_image_has_no_build_tools_and_runs_as_a_user_without_rights() -> None:
    final = stages()[-1]
    assert [rest for name, rest in final if name == "RUN" and re.search(r"\b(apt-get|pip|npm|uv)\b", rest)] == []
    assert dict(final)["USER"] not in ("root", "0")
    for name in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(dict(final)[name]), list)
    assert isinstance(json.loads(dict(final)["HEALTHCHECK"].partition(" CMD ")[2]), list)
    assert dict(final)["STOPSIGNAL"] == "SIGTERM"


def test_base_images_are_pinned_to_a_major_version() -> None:
    bases = [stage[0][1].split()[0] for stage in stages()] + [services()["redis"]["image"]]
    assert [base for base in bases if not re.fullmatch(r"[a-z]+:\d+(\.\d+)?-(slim|alpine)", base)] == []
