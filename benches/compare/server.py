"""The services under load, on free ports of 127.0.0.1: nginx, and the echo of `bare_websocket.rs`."""

from __future__ import annotations

import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .process import Broken, serving

START_S = 10.0
# One process, which is its own worker: ending it by its id ends nginx.
CONFIG = """
daemon off;
master_process off;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http {
    access_log off;
    client_body_temp_path @FOLDER@/body;
    proxy_temp_path @FOLDER@/proxy;
    fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi;
    scgi_temp_path @FOLDER@/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
    server {
        listen 127.0.0.1:@PORT@ backlog=20000;
        listen 127.0.0.1:@HTTP2_PORT@ http2;
        default_type application/json;
        location = / { default_type text/plain; return 200 "@BODY@"; }
        location = /token { return 200 '{"access_token": "eyJhbGciOiJIUzI1NiJ9.e30.bench"}'; }
        location = /builds { return 200 '{"build_id": "b-0123456789", "status": "queued", "chains": []}'; }
        location = /status { stub_status; }
    }
}
"""


class Nginx:
    """A running nginx."""

    def __init__(self, url: str, http2_url: str) -> None:
        self.url = url
        self.http2_url = http2_url
        self._asked = 0

    def requests(self) -> int:
        """How many it has answered, without the questions for this number."""
        with urllib.request.urlopen(f"{self.url}/status", timeout=START_S) as response:
            numbers = re.search(r"^ \d+ \d+ (\d+)", response.read().decode(), re.MULTILINE)
        if numbers is None:
            raise Broken("nginx does not say how many requests it has answered")
        self._asked += 1
        return int(numbers[1]) - self._asked


def nginx_program() -> str | None:
    """Where nginx is: Debian installs it outside the path of most users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    """One nginx process, its files in `folder`."""
    port, http2_port = _free_port(), _free_port()
    ports = {"@PORT@": str(port), "@HTTP2_PORT@": str(http2_port)}
    replaced = {"@FOLDER@": str(folder), "@BODY@": "x" * 100} | ports
    config = CONFIG
    for mark, value in replaced.items():
        config = config.replace(mark, value)
    path = folder / "nginx.conf"
    path.write_text(config)
    with serving([nginx_program() or "nginx", "-c", str(path)]):
        _wait_for(port)
        yield Nginx(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{http2_port}")


@contextmanager
def echo(bare_websocket: Path) -> Iterator[str]:
    """The WebSocket echo; its URL."""
    with serving([str(bare_websocket), "serve"]) as stdout:
        address = stdout.readline().decode().strip()
        if not address:
            raise Broken("the echo server does not start")
        yield f"ws://{address}/"


def http(url: str) -> str:
    """The same place, as loadgate calls a host."""
    return url.replace("ws://", "http://")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Broken("nginx does not start")
