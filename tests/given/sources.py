"""What the tests of `fetch` bring files from: wheels made on the spot, and a hub on this machine's loopback."""

import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import constants

REVISION = "0123456789abcdef0123456789abcdef01234567"
BRANCH = "main"  # whose last commit is REVISION
LARGE = (".parquet", ".safetensors")


def make_wheel(folder: Path, members: Mapping[str, bytes], *, name: str = "snippets", version: str = "1.0") -> Path:
    """Write a wheel that pip accepts, with `members` beside its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        for member, content in members.items():
            wheel.writestr(member, content)
    return path


def package_source(wheel: Path, members: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """Return the resolved section of a `package` source for a wheel of `make_wheel`."""
    name, version, *_ = wheel.name.split("-")
    pinned = {"package": name, "version": version, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    return {
        **{"source": "s", "kind": "package", "timeout": 5, "max_bytes": 10**6, "members": dict(members)},
        **pinned,
        **changes,
    }


def hub_source(files: Any, **changes: Any) -> dict[str, Any]:
    """Return the resolved section of a `hub` source for a repository of `Hub`."""
    return {
        **{"source": "s", "kind": "hub", "type": "dataset", "id": "acme/reviews", "revision": REVISION},
        **{"timeout": 5, "max_bytes": 10**6, "files": files},
        **changes,
    }


@dataclass
class Hub:
    """One repository and how its server misbehaves.

    `lies` are bytes sent instead, `broken` files break off `breaks` times, `endless` ones never end, and `moved` ones
    are at another address. `sent` counts the bytes of endless files.
    """

    files: dict[str, bytes]
    kind: str = "dataset"
    id: str = "acme/reviews"
    lies: dict[str, bytes] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    breaks: int = 9
    endless: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    url: str = ""

    def tree(self) -> list[dict[str, Any]]:
        return [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "data"}, *map(self.entry, self.files)]

    def entry(self, path: str) -> dict[str, Any]:
        content = self.files[path]
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        stated = {"type": "file", "oid": blob, "size": len(content), "path": path}
        if path.endswith(LARGE):
            stated["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return stated


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does: a tree as JSON, files with their commit and checksum in the headers."""

    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        api = f"/api/{self.hub.kind}s/{self.hub.id}/"
        files = f"{'/datasets' if self.hub.kind == 'dataset' else ''}/{self.hub.id}/resolve/"
        if not path.startswith((api, files)):
            self.answer(404, headers={"X-Error-Code": "RepoNotFound"})
        elif path in (f"{api}revision/{BRANCH}", f"{api}revision/{REVISION}"):
            self.answer(
                200, json.dumps({"id": self.hub.id, "sha": REVISION}).encode(), {"Content-Type": "application/json"}
            )
        elif REVISION not in path:
            self.answer(404, headers={"X-Error-Code": "RevisionNotFound"})
        elif path.startswith(api):
            self.answer(200, json.dumps(self.hub.tree()).encode(), {"Content-Type": "application/json"})
        else:
            self.file(path.removeprefix(f"{files}{REVISION}/"))

    def file(self, name: str) -> None:
        stated = self.hub.entry(name)
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{stated.get("lfs", stated)["oid"]}"'}
        content = self.hub.lies.get(name, self.hub.files[name])
        if name in self.hub.moved:
            self.answer(302, headers={**headers, "Location": self.hub.moved[name]})
        elif name in self.hub.endless:
            self.send_response(200)
            for header, value in {**headers, "Transfer-Encoding": "chunked"}.items():
                self.send_header(header, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            with suppress(OSError):  # the reader has had enough
                while self.hub.sent < 10**9:
                    self.hub.sent += self.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n") - 9
        elif name in self.hub.broken and self.hub.breaks:
            self.hub.breaks -= 1
            self.answer(200, content, headers, sent=len(content) // 2)
        else:
            self.answer(200, content, headers)

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])


@contextmanager
def serving_endlessly(name: str, moved: str | None = None) -> Iterator[str]:
    """Serve a package index with one wheel that never ends, or that is `moved` elsewhere; yield the index's address."""

    class Index(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            pass

        def do_GET(self) -> None:
            if not self.path.endswith(".whl"):
                page = f'<a href="/files/{name}">{name}</a>'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
                return
            self.send_response(302 if moved else 200)
            if moved:
                self.send_header("Location", moved)
            self.end_headers()
            with suppress(OSError):
                for _ in range(0 if moved else 4096):
                    self.wfile.write(bytes(65_536))

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def on_loopback(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP by a handler on the loopback until the block ends; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on the loopback until the block ends; `hub.url` is what HF_ENDPOINT should be."""
    with on_loopback(type("HubHandler", (Handler,), {"hub": hub})) as hub.url:
        yield hub


def reach(hub: Hub, monkeypatch: Any) -> None:
    """Let huggingface_hub find a hub in this process: it has read HF_ENDPOINT when it was imported."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 5)


def pack_parquet(**columns: Any) -> bytes:
    """Return a Parquet file of these columns."""
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def write_idx(path: Path, values: Any) -> Path:
    """Write unsigned bytes as an IDX file, packed if its name ends in .gz."""
    content = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def ar_archive(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive."""
    out = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        out += header.encode() + content + b"\n" * (len(content) % 2)
    return out


def make_deb(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    packer: str = "xz",
    fill: Callable[[tarfile.TarFile], None] | None = None,
) -> Path:
    """Write a Debian package snippets 1.0-1 with `files`, and what `fill` adds to its archive."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        if fill is not None:
            fill(tar)
    pack = {
        "xz": lzma.compress,
        "gz": gzip.compress,
        "zst": lambda content: pa.compress(content, "zstd", asbytes=True),
        "": bytes,
    }[packer]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "snippets_1.0-1_all.deb"
    name = f"data.tar{f'.{packer}' if packer else ''}"
    path.write_bytes(ar_archive({"debian-binary": b"2.0\n", "control.tar.gz": b"", name: pack(plain.getvalue())}))
    return path


def mirror(package: Path, folder: Path, monkeypatch: Any) -> None:
    """Make apt take the folder of `package` for its only mirror."""
    content = package.read_bytes()
    entry = {
        "Package": "snippets", "Version": "1.0-1", "Architecture": "all", "Maintainer": "tests",
        "Filename": f"./{package.name}", "Size": len(content), "SHA256": hashlib.sha256(content).hexdigest(),
        "Description": "snippets",
    }  # fmt: skip
    (package.parent / "Packages").write_text("".join(f"{key}: {value}\n" for key, value in entry.items()))
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{package.parent} ./\n")
    own = {"SourceList": folder / "sources.list", "SourceParts": "/dev/null"}
    (folder / "apt.conf").write_text("".join(f'Dir::Etc::{key} "{value}";\n' for key, value in own.items()))
    monkeypatch.setenv("APT_CONFIG", str(folder / "apt.conf"))


def debian_source(package: Path, members: Mapping[str, Any], /, **changes: Any) -> dict[str, Any]:
    """Return the resolved section of a `debian` source for a package of `make_deb`."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    return {
        **{"source": "s", "kind": "debian", "timeout": 5, "max_bytes": 10**6, "members": dict(members)},
        **{"package": "snippets", "version": "1.0-1", "sha256": digest},
        **changes,
    }
