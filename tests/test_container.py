"""The container without a container: its files, what it installs, and its command on exactly that."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import httpx
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from tests.given.bundles import make_bundle
from tests.given.projects import PATIENCE, free_port, until

DOCKERFILE = Path("Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = re.findall(r"^([A-Z]+) +(.*)$", DOCKERFILE, flags=re.MULTILINE)
EXTRA = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]["serve"]
COMPOSE, PROMETHEUS = (YAML(typ="safe").load(Path(name)) for name in ("compose.yaml", "prometheus.yml"))


def step(word: str) -> str:
    (rest,) = [rest for name, rest in STEPS if name == word]
    return rest


def installed() -> list[str]:
    return [word for word in step("RUN").partition("requirements.lock")[2].split() if not word.startswith("-")]


def close(names: list[str]) -> set[str]:
    """Return distributions with all that they require here."""
    closed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in closed:
            continue
        closed.add(name)
        needed = [Requirement(line) for line in distribution(name).requires or ()]
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return closed


def test_the_image_installs_the_extra_alone_with_locked_versions():
    assert installed() == [Requirement(line).name for line in EXTRA]
    lock = Path("requirements.lock").read_text(encoding="utf-8")
    for name in close(installed()):
        assert re.search(rf"^{name}==", lock, flags=re.MULTILINE), name
    assert not {"torch", "transformers", "dvc", "prefect"} & close(installed())


def test_the_image_is_not_run_by_root_and_has_a_check_of_health():
    assert step("USER").split(":")[0] not in ("0", "root")
    check = json.loads(step("HEALTHCHECK").partition("CMD ")[2])
    assert check[0] == "python"
    compile(check[2], "HEALTHCHECK", "exec")
    sources = [name for word, rest in STEPS if word == "COPY" for name in rest.split()[:-1]]
    ignored = Path(".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in sources} <= set(ignored)


def test_the_services_fit_together():
    assert set(COMPOSE["services"]) == {"answer", "prometheus"}
    ((job,),) = [PROMETHEUS["scrape_configs"]]
    assert job["static_configs"][0]["targets"] == ["answer:8000"]
    assert step("EXPOSE") == "8000"
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_command_runs_on_what_the_image_holds(tmp_path):
    packages, app, model = (tmp_path / name for name in ("packages", "app", "model"))
    packages.mkdir()
    for name in close(installed()):
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top != ".." and not (packages / top).exists() and top != "__pycache__":
                (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    shutil.copytree("pipeline", app / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    make_bundle(model)
    port = free_port()
    words = [{"/model": str(model), "8000": str(port)}.get(word, word) for word in json.loads(step("CMD"))]
    server = subprocess.Popen(
        [sys.executable, "-S", *words[1:], "--linger", "0"], cwd=app, stdout=subprocess.DEVNULL, start_new_session=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    try:
        until(lambda: answers(port) or server.poll() is not None)
        response = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json={"texts": "good"}, timeout=PATIENCE)
        assert response.json()["answers"][0]["label"] == "good"
        check = json.loads(step("HEALTHCHECK").partition("CMD ")[2])
        subprocess.run([sys.executable, "-c", check[2].replace("8000", str(port))], check=True)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
