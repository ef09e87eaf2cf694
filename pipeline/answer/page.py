"""The page of the server: a text in, probabilities out; plain files that load nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

PAGE_FOLDER = Path(__file__).parent / "templates"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
FILES_OF_PAGE = {
    "/": ("page.html", "text/html"),
    "/docs": ("docs.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/docs.js": ("docs.js", "text/javascript"),
}

PAGE_ROUTES = APIRouter(include_in_schema=False)


def _serve(path: str, name: str, media_type: str) -> None:
    content = (PAGE_FOLDER / name).read_bytes()

    @PAGE_ROUTES.get(path)
    async def send_file() -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)


for _path, (_name, _type) in FILES_OF_PAGE.items():
    _serve(_path, _name, _type)
