"""A site to look at, on this machine alone."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from akb.errors import AkbError


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, without a line on each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def end_headers(self) -> None:
        """A site that is built again shows at once."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of a site, bound to the loopback address.

    Raises:
        AkbError: there is no site here, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise AkbError("there is no site here (no index.html)", where=str(site),
                       fix="Make one with: akb leaderboard build BOARD --out SITE")  # fmt: skip
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(site)))
    except OSError as error:
        raise AkbError(f"the port cannot be used: {error.strerror}", where=f"--port {port}",
                       fix="Choose another with --port.") from None  # fmt: skip


def serve(site: Path, port: int) -> None:
    """Serve until Ctrl-C; tells where."""
    with server(site, port) as running:
        print(f"http://127.0.0.1:{running.server_address[1]}/  (Ctrl-C ends)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
