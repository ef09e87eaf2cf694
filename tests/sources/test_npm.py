"""Packages from a registry of npm on this machine's loopback."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.settings.sources import NpmSource
from pipeline.sources.npm import REGISTRY, bring_npm_package, find_registry, name_tarball


def make_package() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/ca01")
        info.size = 9
        archive.addfile(info, io.BytesIO(b"The/at ./"))
    return stream.getvalue()


PACKAGE = make_package()
ANSWERS = {"/corpus-tiny/-/corpus-tiny-1.0.0.tgz": 200, "/corpus-tiny/-/corpus-tiny-3.0.0.tgz": 500}


class Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = ANSWERS.get(self.path, 404)
        self.send_response(code)
        self.end_headers()
        if code == 200:
            self.wfile.write(PACKAGE)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setenv("npm_config_registry", url)
    yield url
    server.shutdown()
    server.server_close()


def source(**changes: Any) -> NpmSource:
    values = {
        **{"source": "s", "kind": "npm", "timeout": 5, "max_bytes": 10**6, "package": "corpus-tiny"},
        **{"version": "1.0.0", "sha256": hashlib.sha256(PACKAGE).hexdigest(), "files": ["ca*"], "suffix": ".txt"},
    }
    return NpmSource.model_validate_json(json.dumps({**values, **changes}))


def bring(tmp_path: Path, params: NpmSource) -> list[Path]:
    (tmp_path / "out").mkdir()
    (tmp_path / "scratch").mkdir()
    bring_npm_package(params, tmp_path / "out", tmp_path / "scratch")
    return list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("registry")
def test_only_the_files(tmp_path: Path) -> None:
    assert bring(tmp_path, source()) == [tmp_path / "out" / "ca01.txt"]
    assert (tmp_path / "out" / "ca01.txt").read_bytes() == b"The/at ./"


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"sha256": "0" * 64}, DataError, "corpus-tiny@1.0.0: another sha256"),
        ({"version": "2.0.0"}, UsageError, "corpus-tiny@2.0.0: .* no such version"),
        ({"version": "3.0.0"}, EnvironmentFault, "answers 500"),
        ({"max_bytes": 10}, DataError, "more than 10 bytes"),
        ({"files": ["cb*"]}, UsageError, "no file 'cb\\*'"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], kind: type[PipelineError], words: str) -> None:
    with pytest.raises(kind, match=words):
        bring(tmp_path, source(**changes))
    assert list((tmp_path / "out").iterdir()) == []


def test_no_way_to_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentFault, match=r"corpus-tiny@1\.0\.0: .*could not be reached"):
        bring(tmp_path, source())


@pytest.mark.parametrize("changes", [{"suffix": ""}, {"suffix": ".py"}, {"package": "../x"}, {"files": ["../c*"]}])
def test_names_that_may_hold_code_or_lead_out(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(**changes)


def test_the_registry_that_npm_would_ask(tmp_path: Path) -> None:
    assert find_registry("a", {}, tmp_path) == REGISTRY
    (tmp_path / ".npmrc").write_text(
        "fund=false\nregistry=https://one.example/npm/\n@acme:registry = https://two.example\n"
    )
    assert find_registry("a", {}, tmp_path) == "https://one.example/npm"
    assert find_registry("@acme/a", {}, tmp_path) == "https://two.example"
    assert find_registry("a", {"NPM_CONFIG_REGISTRY": "https://three.example"}, tmp_path) == "https://three.example"
    assert name_tarball("https://two.example", "@acme/a", "1.0") == "https://two.example/@acme/a/-/a-1.0.tgz"
