#!/usr/bin/env python3
"""What a service can make loadgate hold, and how long a cancel takes while loadgate is busy with it.

    python3 benches/floods.py target/release/loadgate [FLOOD...] [--address-space 4GB] [--max-memory 1GB]

Each flood is a server on loopback, in a process of its own, and one run of loadgate against it. It prints the peak of
loadgate's resident memory (VmHWM), the time from SIGINT to the end where the flood is cancelled, the exit status, and
which failures were counted. `--address-space` limits the address space of loadgate, as `ulimit -v` does; `--max-memory` is
written into its configuration.

    bodies      50 users read bodies that never end, and look at them
    unsent      300 sockets send 4 MB each to a server that never reads
    pings       300 sockets receive pings without end from a server that never reads the pongs
    fragments   50 sockets receive messages whose fragments never end
    bombs       300 users inflate 60 MiB each; cancelled after 5 s
    json        100 users parse and search 24 MB of JSON each; cancelled after 5 s
    uploads     100 users build requests of 4 MB each; cancelled after 5 s

Nothing but the standard library. Bounded: a server sends at most 1 GiB a connection and ends after two minutes; loadgate
is killed after one.
"""

import argparse
import base64
import functools
import gzip
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

MOST_SENT = 1 << 30
SERVER_ENDS = 120
RUN_ENDS = 60

CONFIG = """
version: 1
name: floods
environments: {{here: {{host: 'http://127.0.0.1:{port}', users: {users}, run_time: {run_time}}}}}
timeout: {timeout}
{more}load: {{drain: 0}}
thresholds: {{error_rate: null}}
scenarios: {{s: {{users: {{u: {{wait: 100ms, steps: {steps}}}}}}}}}
"""

FLOODS = {
    "bodies": (50, "15s", [{"get": "/bodies", "expect": {"contains": "nothing"}}], None),
    "unsent": (
        300,
        "15s",
        [
            {
                "websocket": "/unsent",
                "steps": [{"send": {"text": "{{ 'x' * 4000000 }}"}, "on_failure": "continue"}, {"hold": "1h"}],
            }
        ],
        None,
    ),
    "pings": (300, "15s", [{"websocket": "/pings", "steps": [{"hold": "1h"}]}], None),
    "fragments": (50, "15s", [{"websocket": "/fragments", "steps": [{"receive": {"within": "20s"}}]}], None),
    "bombs": (300, "60s", [{"get": "/bombs", "expect": {"contains": "nothing"}}], 5),
    "json": (100, "60s", [{"get": "/json", "expect": {"that": "response.json.items | length == 3"}}], 5),
    "uploads": (100, "60s", [{"post": "/uploads", "raw": "{{ 'upload ' * 600000 }}"}], 5),
}


@functools.cache
def answers():
    """What is sent to a path: headers and body."""
    bomb = gzip.compress(bytes(60 << 20), 9)
    items = json.dumps({"items": [{"id": n, "name": f"item {n}", "tags": ["a", "b"]} for n in range(400_000)]})
    return {"/bombs": ("content-encoding: gzip\r\n", bomb), "/json": ("", items.encode()), "/uploads": ("", b"ok")}


def serve(listener):
    """Accepts until it is ended, each connection in a thread of its own."""
    threading.Timer(SERVER_ENDS, os._exit, (0,)).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection, answers()), daemon=True).start()


def talk(connection, known):
    try:
        while head := read_head(connection):
            path = head.split(" ")[1]
            if path in known:
                more, body = known[path]
                connection.sendall(f"HTTP/1.1 200 OK\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body)
            elif path == "/bodies":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                flood(connection, bytes(1 << 20))
                return
            else:
                agree(connection, head)
                if path == "/fragments":
                    block = b"\x00\x7f" + struct.pack(">Q", 64 << 10) + bytes(64 << 10)
                    connection.sendall(b"\x02\x01x")
                    flood(connection, block * 16)
                if path == "/pings":
                    flood(connection, (b"\x89\x7d" + bytes(125)) * 8192)
                time.sleep(SERVER_ENDS)
    except OSError:
        pass
    finally:
        connection.close()


def flood(connection, block):
    for _ in range(MOST_SENT // len(block)):
        connection.sendall(block)


def read_head(connection):
    """The head of a request; its body is read and thrown away."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    left = length - len(rest)
    while left > 0:
        more = connection.recv(min(left, 1 << 20))
        if not more:
            return None
        left -= len(more)
    return head.decode("latin-1")


def agree(connection, head):
    key = next(line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        + f"sec-websocket-accept: {accept}\r\n\r\n".encode()
    )


def run(binary, name, address_space, max_memory):
    users, run_time, steps, cancel = FLOODS[name]
    timeout = "500ms" if name == "unsent" else "30s"
    more = f"max_memory: {max_memory}\n" if max_memory else ""
    # Before the server is there, which inherits them: a user must not wait for them.
    answers()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    port = listener.getsockname()[1]
    listener.close()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(port=port, users=users, run_time=run_time, timeout=timeout, more=more, steps=json.dumps(steps)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "LOADGATE_", "CI"))}
        limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (address_space,) * 2)) if address_space else None
        child = subprocess.Popen(
            [binary, "run", "--quiet"],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=limit,
        )
        begun, asked, ended = time.monotonic(), None, None
        peak = 0
        while child.poll() is None:
            peak = max(peak, resident(child.pid))
            now = time.monotonic()
            if cancel and asked is None and now - begun > cancel:
                child.send_signal(signal.SIGINT)
                asked = now
            if now - begun > RUN_ENDS:
                child.kill()
            time.sleep(0.02)
        ended = time.monotonic()
        server.terminate()
        server.join()
        took = f"{ended - asked:.1f} s" if asked else "-"
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        print(f"{name:10} peak {peak / 1e6:7.0f} MB   cancel {took:>7}   exit {child.returncode:4}   {failures(folder, said)}")
        sys.stdout.flush()


def resident(pid):
    """The peak of the resident memory so far, in bytes."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            line = next((line for line in file if line.startswith("VmHWM:")), "x 0")
            return int(line.split()[1]) * 1024
    except OSError:
        return 0


def failures(folder, said):
    """What was counted, by kind; without a result the last thing that was said."""
    try:
        with open(os.path.join(folder, "reports/latest/result.json"), encoding="utf-8") as file:
            result = json.load(file)
    except OSError:
        return said[-1] if said else "no result"
    counted = [f"{count} {kind}" for it in result["whole_run"]["endpoints"] for kind, count in it["failed"].items()]
    ok = sum(it["ok"] for it in result["whole_run"]["endpoints"])
    return ", ".join([f"{ok} ok", *counted])


def size(text):
    return int(text.removesuffix("GB")) * 10**9


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("floods", nargs="*", choices=[*FLOODS, []], default=[])
    arguments.add_argument("--address-space", type=size)
    arguments.add_argument("--max-memory")
    given = arguments.parse_args()
    for flood_name in given.floods or FLOODS:
        run(os.path.abspath(given.binary), flood_name, given.address_space, given.max_memory)
