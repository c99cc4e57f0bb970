# SPDX-License-Identifier: Apache-2.0
"""Bytes on a socket and the answers that come back: for what no client would send."""
import http.client
import json
import socket

from lib.http import Answer
from lib.wait import PATIENCE


class Raw:
    """One connection. `with Raw(node.api) as raw:`; `window` bytes are taken unread."""

    def __init__(self, address, window=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.socket.settimeout(PATIENCE)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect((host.strip("[]"), int(port)))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self, method="GET"):
        """The next answer; None if the connection ended instead."""
        if not self.file.peek(1):
            return None
        response = http.client.HTTPResponse(_Kept(self.file), method=method)
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())

    def closed(self):
        """It ends, and nothing more comes."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


class _Kept:
    """A response closes the file it reads from; the next answer is read from it too."""

    def __init__(self, file):
        self.file = file

    def makefile(self, _mode):
        return self

    def close(self):
        pass

    def __getattr__(self, name):
        return getattr(self.file, name)


def exchange(address, data, method="GET"):
    """Send and read one answer, on a connection of its own."""
    with Raw(address) as raw:
        return raw.send(data).answer(method)


def head(method, path, *headers, host="localhost"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(body, path="/v1/tasks", *headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head("POST", path, "Content-Type: application/json",
                f"Content-Length: {len(body)}", *headers) + body
