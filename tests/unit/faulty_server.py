"""A server of files on loopback that can be told to fail: each fault is for one request."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_STALL_S = 10.0


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer.

    Attributes:
        status: answered instead of the file, with `retry_after_s` where that is not None.
        breaks_after: bytes of the body after which the connection is reset.
        stops_after: bytes of the body after which it is closed in order, or, with `stalls`, held.
        promises: the Content-Length that is told, and sent, instead of the true one.
        damages: byte of the file that is sent inverted.
        body: sent instead of the file.
        no_range: the header Range is passed over.
        shifts: by how many bytes the answer to a Range begins too late.
    """

    status: int | None = None
    retry_after_s: int | None = None
    breaks_after: int | None = None
    stops_after: int | None = None
    stalls: bool = False
    promises: int | None = None
    damages: int | None = None
    body: bytes | None = None
    no_range: bool = False
    shifts: int = 0


@dataclass(frozen=True)
class Asked:
    """One request and what was sent of the file."""

    path: str
    range: str | None
    status: int
    sent: int


@dataclass
class FaultyServer:
    """Files by path, the faults to come by path without its query, and what was asked so far."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    marks: bool = True  # whether answers carry an ETag
    address: str = ""
    ends: threading.Event = field(default_factory=threading.Event)

    def fail(self, path: str, *faults: Fault) -> None:
        """Answer the next requests for a path with these faults, one each."""
        self.faults[path].extend(faults)

    def content(self, path: str) -> bytes | None:
        """What stands at a path; a subclass may make it up."""
        return self.files.get(path)

    def sent(self, path: str) -> int:
        """Bytes of bodies that were sent for a path."""
        return sum(asked.sent for asked in self.asked if asked.path == path)

    @contextmanager
    def running(self) -> Iterator[FaultyServer]:
        """Serve on a free port of loopback until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.ends.set()
            server.shutdown()
            thread.join(10)
            server.server_close()


def _handler(house: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *about: object) -> None:
            """Nothing on the terminal."""

        def do_GET(self) -> None:
            place = self.path.partition("?")[0]
            waiting = house.faults[place]
            fault = waiting.popleft() if waiting else house.always.get(place, Fault())
            content = house.content(self.path)
            self.close_connection = True
            if fault.status or content is None:
                headers = {}
                if fault.retry_after_s is not None:
                    headers["Retry-After"] = str(fault.retry_after_s)
                self._say(fault.status or 404, headers, b"", fault)
                return
            if fault.body is not None:
                content = fault.body
            if fault.damages is not None:
                at = fault.damages
                content = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
            self._send(content, fault)

        def _send(self, content: bytes, fault: Fault) -> None:
            mark = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            headers = {"ETag": mark} if house.marks else {}
            first = self._first(mark, fault)
            if first is not None and first >= len(content):
                self._say(416, headers | {"Content-Range": f"bytes */{len(content)}"}, b"", fault)
                return
            status, body = 200, content
            if first is not None:
                first += fault.shifts
                status, body = 206, content[first:]
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self._say(status, headers, body[: fault.promises], fault)

        def _first(self, mark: str, fault: Fault) -> int | None:
            """The first byte that is asked for, None for the whole file."""
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not asked or fault.no_range or self.headers.get("If-Range", mark) != mark:
                return None
            return int(asked.group(1))

        def _say(self, status: int, headers: dict[str, str], body: bytes, fault: Fault) -> None:
            cut = fault.stops_after if fault.breaks_after is None else fault.breaks_after
            part = body if cut is None else body[:cut]
            house.asked.append(Asked(self.path, self.headers.get("Range"), status, len(part)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            try:
                self.end_headers()
                self.wfile.write(part)
                self.wfile.flush()
            except OSError:  # the client has seen enough
                return
            if fault.stalls:
                house.ends.wait(LONGEST_STALL_S)
            if fault.breaks_after is not None:
                # Closed with nothing lingering, a socket sends a reset.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return Handler
