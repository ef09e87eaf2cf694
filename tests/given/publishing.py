"""A project whose commit holds a model, and a hub on this machine's loopback that takes uploads."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from tests.given.revisions import Project
from tests.given.settings import dump
from tests.given.sources import on_loopback

TASK = "reviews"
PIN = {"kind": "package", "package": "snippets", "version": "1.0", "sha256": "0" * 64}
FILES = {
    "data/raw/films/films.csv": "text,label\nA text that stays at home,good\n",
    f"data/model/{TASK}/config.json": "{}\n",
    f"data/model/{TASK}/model.safetensors": "weights\n",
    f"data/model/{TASK}/tokenizer.json": "{}\n",
    f"data/model/{TASK}/optimizer.pt": "a pickle\n",
    f"data/export/{TASK}/model.onnx": "graph\n",
    f"data/export/{TASK}/model.json": "{}\n",
    f"data/metrics/{TASK}.json": '{"accuracy": 0.9}\n',
    f"data/cards/{TASK}.md": f'---\nlanguage: en\n---\n\n# {TASK}\n\npipeline(model="data/model/{TASK}")\n',
}


def publishable(root: Path) -> Project:
    """Return a project whose only commit records all of `FILES`."""
    root.mkdir()
    project = Project(root)
    project.init()
    Repo.init(str(root)).close()
    project.write(".dvc/config", "[core]\n    analytics = false\n")
    project.write("params.yaml", "learning_rate: 0.1\n")
    project.write("requirements.lock", "torch==2.13.0\n")
    project.write(".gitignore", "/data/raw/\n/data/model/\n/data/export/\n/data/cards\n")
    project.write("data/params.json", json.dumps({"fetch": {"films": PIN}}))
    model, metrics = f"data/model/{TASK}", {f"data/metrics/{TASK}.json": {"cache": False}}
    stages = {
        "fetch": ("films", {"params": [{"data/params.json": ["fetch.films"]}], "outs": ["data/raw/films"]}),
        "finetune": (TASK, {"deps": ["data/raw/films/films.csv"], "params": ["learning_rate"], "outs": [model]}),
        "evaluate": (TASK, {"deps": [model], "metrics": [metrics]}),
        "export": (TASK, {"deps": [model], "outs": [f"data/export/{TASK}"]}),
    }
    entries: dict[str, Any] = {
        name: {"foreach": [item], "do": {"cmd": f"make {name}", **entry}} for name, (item, entry) in stages.items()
    }
    entries["report"] = {"cmd": "make report", "deps": [*metrics], "outs": ["data/cards"]}
    project.write("dvc.yaml", dump({"stages": entries}))
    for path, text in FILES.items():
        project.write(path, text)
    with chdir(root), Repo() as repo:
        repo.commit(force=True)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Record")
    return project


@dataclass
class UploadHub:
    """A repository that takes commits: its files, how many commits there were, and whether it is private."""

    files: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    private: bool | None = None
    refuses: int = 0  # the status with which a commit is refused
    url: str = ""


class UploadHandler(BaseHTTPRequestHandler):
    """Answers the calls of `create_repo` and `upload_folder` as the hub does, large files by LFS."""

    hub: UploadHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        pass

    def do_HEAD(self) -> None:
        self.send_file()

    def send_file(self) -> None:
        """Send a file of the repository, as its `resolve` does."""
        path = self.path.removeprefix("/acme/films/resolve/main/")
        content = self.hub.files.get(path)
        self.send_response(404 if content is None else 200)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", "1" * 40)
        self.send_header("ETag", f'"{hashlib.sha1(content or b"", usedforsecurity=False).hexdigest()}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    def do_GET(self) -> None:
        if "/resolve/" in self.path:
            return self.send_file()
        known = self.path.startswith("/api/models/acme/films")
        if known and "/tree/" in self.path:
            return self.answer([{"type": "file", "oid": "0" * 40, "size": 1, "path": path} for path in self.hub.files])
        return self.answer({"id": "acme/films", "sha": "1" * 40} if known else {}, 200 if known else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/api/repos/create":
            self.hub.private = json.loads(body)["visibility"] == "private"
            self.answer({"url": f"{self.hub.url}/acme/films", "id": "acme/films"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif self.path == "/api/models/acme/films/preupload/main":
            self.answer({"files": [self.preuploaded(file["path"]) for file in json.loads(body)["files"]]})
        elif self.path == "/acme/films.git/info/lfs/objects/batch":
            objects = [
                {**item, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{item['oid']}", "header": {}}}}
                for item in json.loads(body)["objects"]
            ]
            self.answer({"transfer": "basic", "objects": objects})
        elif self.path == "/api/models/acme/films/commit/main" and self.hub.refuses:
            self.answer({"error": "refused"}, self.hub.refuses)
        elif self.path == "/api/models/acme/films/commit/main":
            self.commit([json.loads(line) for line in body.splitlines()])
        else:
            self.answer({"error": self.path}, 404)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.stored[hashlib.sha256(content).hexdigest()] = content
        self.answer({})

    def preuploaded(self, path: str) -> dict[str, Any]:
        content = self.hub.files.get(path)
        large = path.endswith((".safetensors", ".onnx"))
        oid = None
        if content is not None:
            header = b"blob %d\0" % len(content)
            oid = hashlib.sha256(content) if large else hashlib.sha1(header + content, usedforsecurity=False)
        return {
            "path": path,
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": False,
            "oid": oid and oid.hexdigest(),
        }

    def commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["key"] == "header":
                self.hub.commits.append(line["value"]["summary"])
            elif line["key"] == "deletedFile":
                del self.hub.files[line["value"]["path"]]
            elif line["key"] == "lfsFile":
                self.hub.files[line["value"]["path"]] = self.hub.stored[line["value"]["oid"]]
            else:
                self.hub.files[line["value"]["path"]] = b64decode(line["value"]["content"])
        self.answer({"success": True, "commitUrl": f"{self.hub.url}/acme/films/commit/1", "commitOid": "1" * 40})

    def answer(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def taking_uploads() -> Iterator[UploadHub]:
    """Serve an empty repository acme/films until the block ends; `url` is what HF_ENDPOINT should be."""
    hub = UploadHub()
    with on_loopback(type("Bound", (UploadHandler,), {"hub": hub})) as hub.url:
        yield hub
