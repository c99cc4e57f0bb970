# SPDX-License-Identifier: Apache-2.0
"""One request, one answer, and what is known when there is none."""
import http.client
import json


class NothingHappened(Exception):
    """The request did not reach a node."""


class OutcomeUnknown(Exception):
    """The request was sent and its answer never came."""


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def request(address, method, path, body=None, headers=None, timeout=15):
    """`body` is sent as JSON, bytes as they are. NothingHappened, OutcomeUnknown."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NothingHappened(str(error)) from error
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except (OSError, http.client.HTTPException) as error:
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
