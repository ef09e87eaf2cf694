"""A page in a real browser, asked by its developer protocol."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.given.projects import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class BrowserPage:
    """A page of a browser, as wide as it was opened."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._calls = connection, 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._calls += 1
        self._connection.send(json.dumps({"id": self._calls, "method": method, "params": params}))
        while (message := json.loads(self._connection.recv())).get("id") != self._calls:
            pass
        return dict(message["result"])

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")


@contextmanager
def browsing(url: str, folder: Path, *, width: int) -> Iterator[BrowserPage]:
    """Open a page; the browser keeps its files in `folder`, which is new."""
    words = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            place = folder / "DevToolsActivePort"
            until(lambda: place.is_file() and "\n" in place.read_text())
            port = place.read_text().splitlines()[0]
            pages = httpx.get(f"http://127.0.0.1:{port}/json").json()
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            with connect(address, max_size=None) as connection:
                page = BrowserPage(connection)
                size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
                page.call("Emulation.setDeviceMetricsOverride", **size)
                page.call("Page.navigate", url=url)
                yield page
        finally:
            process.kill()
