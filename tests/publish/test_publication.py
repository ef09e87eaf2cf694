import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from pipeline.publish.contents import PublishedFile, compute_content_version, list_contents, may_publish
from pipeline.publish.provenance import list_origins
from pipeline.publish.publication import Publication, collect_publication
from pipeline.publish.registry import send_to_folder
from pipeline.repository.revisions import resolve_revision
from tests.given.publishing import FILES, PIN, TASK, publishable, taking_uploads

ROOT = Path(__file__).parents[2]
GONE = {
    "README.md", "config.json", "metrics.json", "model.safetensors", "onnx/model.json", "onnx/model.onnx",
    "provenance.json", "tokenizer.json",
}  # fmt: skip
LOCAL = {"HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}  # the test's hub stores large files by plain LFS


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return publishable(tmp_path_factory.mktemp("publish") / "project")


def run(root: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", "pipeline", "publish", TASK, *words]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def collect(project, folder: Path) -> Publication:
    folder.mkdir()
    return collect_publication(TASK, resolve_revision(project.root, "HEAD"), folder, model="acme/films")


def test_only_files_of_models_may_go():
    names = ("config.json", "model-00001-of-00002.safetensors", "onnx/model.int8.onnx", "vocab.txt")
    assert all(map(may_publish, names))
    refused = ("optimizer.pt", "pytorch_model.bin", "onnx/config.json", "a/model.safetensors", "model.onnx", "x.py")
    assert not any(map(may_publish, refused))


def test_the_version_is_of_all_contents_but_the_provenance():
    files = [PublishedFile("a", 1, "1"), PublishedFile("provenance.json", 1, "2")]
    version = compute_content_version(files)
    assert compute_content_version([files[1]._replace(sha256="3"), files[0]]) == version
    assert compute_content_version([files[0]._replace(sha256="3"), files[1]]) != version
    assert compute_content_version([files[0]._replace(path="b"), files[1]]) != version


def test_origins_are_all_stages_behind_a_target():
    stages = {
        "fetch": {"outs": [{"path": "raw"}]},
        "train": {"deps": [{"path": "raw/file"}], "params": {"p.json": {}}, "outs": [{"path": "model"}]},
        "params": {"outs": [{"path": "p.json"}]},
        "other": {"deps": [{"path": "rawhide"}], "outs": [{"path": "models"}]},
    }
    assert list_origins(stages, ["train", "absent"]) == ["fetch", "train", "params"]


def test_what_goes_is_what_the_commit_records(project, tmp_path):
    model = project.root / f"data/model/{TASK}/config.json"
    before = model.read_bytes()
    model.unlink()
    model.write_text("edited")
    try:
        publication = collect(project, tmp_path / "staged")
    finally:
        model.write_bytes(before)
    staged = tmp_path / "staged"
    assert {file.path for file in publication.files} == GONE
    assert publication.fault == ""
    assert any("optimizer.pt" in note for note in publication.notes)
    assert any("licence" in note for note in publication.notes)
    assert (staged / "config.json").read_bytes() == before
    assert 'pipeline(model="acme/films")' in (staged / "README.md").read_text()
    for file in publication.files:
        content = (staged / file.path).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert b"stays at home" not in content


def test_the_provenance_names_commit_code_data_and_pins(project, tmp_path):
    publication = collect(project, tmp_path / "staged")
    document = json.loads((tmp_path / "staged/provenance.json").read_text())
    assert document["commit"] == publication.commit == project.git("rev-parse", "HEAD")
    assert document["packages"] == {"torch": "2.13.0"}
    assert document["sources"] == {"films": PIN}
    assert set(document["stages"]) == {"fetch@films", f"finetune@{TASK}", f"evaluate@{TASK}", f"export@{TASK}"}
    data = document["stages"][f"finetune@{TASK}"]["deps"][0]
    content = FILES["data/raw/films/films.csv"].encode()
    assert data["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert document["stages"][f"finetune@{TASK}"]["params"] == {"params.yaml": {"learning_rate": 0.1}}


def test_a_registry_keeps_each_version_whole(project, tmp_path):
    publication, registry = collect(project, tmp_path / "staged"), tmp_path / "registry"
    (tmp_path / "staged").chmod(0o700)  # as a temporary folder is
    threads = [Thread(target=send_to_folder, args=(publication, tmp_path / "staged", registry)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place = registry / TASK / publication.version
    assert {path.name for path in place.parent.iterdir()} == {".lock", "latest.json", publication.version}
    assert tuple(list_contents(place)) == publication.files
    assert place.stat().st_mode == place.parent.stat().st_mode  # whoever may read the registry may read it
    assert json.loads((place.parent / "latest.json").read_text()) == {"task": TASK, "version": publication.version}
    times = {path: path.stat().st_mtime_ns for path in (place, place / "config.json", place.parent / "latest.json")}
    send_to_folder(publication, tmp_path / "staged", registry)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    (place / "config.json").write_text("damaged")
    with pytest.raises(Exception, match=publication.version) as refused:
        send_to_folder(publication, tmp_path / "staged", registry)
    assert refused.value.exit_code == 4


def test_a_dry_run_writes_nothing_and_tells_what_would_go(project, tmp_path):
    done = run(project.root, "--to", str(tmp_path / "registry"))
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in GONE)
    assert hashlib.sha256(FILES[f"data/model/{TASK}/model.safetensors"].encode()).hexdigest() in done.stdout
    assert not (tmp_path / "registry").exists()


def test_results_that_are_not_of_the_commit_stay(tmp_path):
    project = publishable(tmp_path / "project")
    project.write("params.yaml", "learning_rate: 0.2\n")
    project.git("commit", "--quiet", "--all", "--message", "Change")
    done = run(project.root, "--to", str(tmp_path / "registry"), "--send")
    assert done.returncode == 5
    assert f"finetune@{TASK}" in done.stderr
    assert not (tmp_path / "registry").exists()
    project.git("revert", "--no-edit", "HEAD")
    project.write(f"data/metrics/{TASK}.json", '{"accuracy": 1.0}\n')
    project.git("commit", "--quiet", "--all", "--message", "Embellish")
    done = run(project.root, "--to", str(tmp_path / "registry"), "--send")
    assert done.returncode == 5
    assert f"data/metrics/{TASK}.json" in done.stderr


def test_the_hub_gets_one_private_commit_and_no_second_one(project):
    with taking_uploads() as hub:
        env = {**LOCAL, "HF_ENDPOINT": hub.url}
        hub.files |= {"onnx/model.int8.onnx": b"of a person", "picture.png": b"of a person"}
        done = run(project.root, "--to", "hub:acme/films", "--send", **env)
        assert done.returncode == 0, done.stderr
        assert set(hub.files) == {*GONE, "onnx/model.int8.onnx", "picture.png"}
        assert hub.files["onnx/model.onnx"] == FILES[f"data/export/{TASK}/model.onnx"].encode()
        assert (len(hub.commits), hub.private) == (1, True)
        again = run(project.root, "--to", "hub:acme/films", "--send", **env)
        assert (again.returncode, len(hub.commits)) == (0, 1)


def test_the_hub_loses_what_the_version_before_has_brought_and_nothing_else(project):
    brought = ("vocab.txt", "onnx/model.int8.onnx", "calibration.json", "config.json")
    with taking_uploads() as hub:
        hub.files = dict.fromkeys((*brought, "onnx/notes.txt", "spiece.model", "picture.png"), b"older")
        named = dict.fromkeys((*brought, "picture.png", "../x", "absent.txt"), "0" * 64)
        hub.files["provenance.json"] = json.dumps({"files": named}).encode()
        done = run(project.root, "--to", "hub:acme/films", "--send", **LOCAL, HF_ENDPOINT=hub.url)
        assert done.returncode == 0, done.stderr
        assert set(hub.files) == {*GONE, "onnx/notes.txt", "spiece.model", "picture.png"}
        recorded = json.loads(hub.files["provenance.json"])["files"]
    assert set(recorded) == GONE - {"provenance.json"}
    assert recorded["config.json"] == hashlib.sha256(hub.files["config.json"]).hexdigest()


@pytest.mark.parametrize(("status", "code"), [(403, 2), (500, 4)])
def test_a_hub_that_refuses_has_nothing(project, status, code):
    with taking_uploads() as hub:
        hub.refuses = status
        done = run(project.root, "--to", "hub:acme/films", "--send", **LOCAL, HF_ENDPOINT=hub.url)
    assert done.returncode == code, done.stderr
    assert hub.files == {}
