# SPDX-License-Identifier: Apache-2.0
"""Good bodies, spoilt at random: what is accepted reads back as it was meant, what is
refused has changed nothing, and nothing is a 500. One seed a run of the test, printed when
it fails; MUSTER_TEST_FULL=1 goes on for longer."""
import copy
import http.client
import json
import os
import random
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.sanitized

ROUNDS = 20000 if os.environ.get("MUSTER_TEST_FULL") == "1" else 1500
SEEDS = {"name": "t", "module": "m", "enabled": False, "description": "d<&>\u2028",
         "providers": ["p", "q.west"], "version": "1.0", "variables": {"b": "1", "a": "[2]"},
         "buffer_period": {"enabled": True, "min": "1500ms", "max": "1h"},
         "module_input": {"consul_kv": {"path": "in", "recurse": True}}}
CONDITIONS = [
    {}, {"services": {"names": ["web", "api"], "filter": "x", "namespace": "n",
                      "cts_user_defined_meta": {"k": "v", "n": None}}},
    {"services": {"regexp": "^a(b|c){2,3}$", "use_as_module_input": False}},
    {"catalog_services": {"regexp": "", "datacenter": "dc", "node_meta": {"a": "b"}}},
    {"schedule": {"cron": "*/10 * * * * * *"}}, {"schedule": {"cron": "@daily"}},
]
VALUES = [None, True, False, 0, -1, 1e308, "", "x", "1x", "ä", "a b", "5s", "-5s", "(", "*",
          "\ud800", "\U0001f600", "x" * 200, [], ["a"], ["a", "a"], [None], {}, {"k": "v"},
          {"names": ["a"]}, {"path": "p"}, {"regexp": ""}, {"cron": "@hourly"}]
BYTES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\0", b"\xff", b"\xc3", b"\\ud800",
         b"\\u0000", b"1e999", b"null", b" ", b"\n", b"-", b"[" * 20]


def places(value, found):
    """Every (container, key) below a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            places(inner, found)
    return found


def spoil_tree(chance, body):
    found = places(body, [])
    if not found:
        return
    container, key = chance.choice(found)
    how = chance.randrange(4)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container, dict):
        container[chance.choice(["foo", "", "names", "regexp", "Name", "enabled"])] = \
            copy.deepcopy(chance.choice(VALUES))
    else:
        container[key] = copy.deepcopy(chance.choice(VALUES))


def spoil_bytes(chance, text):
    at = chance.randrange(len(text) + 1)
    how = chance.randrange(4)
    if how == 0:
        return text[:at]
    if how == 1:
        return text[:at] + text[at + chance.randrange(1, 9):]
    if how == 2:
        return text[:at] + chance.choice(BYTES) + text[at:]
    return text[:at] + bytes([chance.randrange(256)]) + text[at + 1:]


def make(chance):
    task = {key: copy.deepcopy(value) for key, value in SEEDS.items()
            if key in ("name", "module") or chance.random() < 0.5}
    task["condition"] = copy.deepcopy(chance.choice(CONDITIONS))
    body = {"task": task}
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        spoil_tree(chance, body)
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode(
        errors="surrogatepass")
    return spoil_bytes(chance, text) if chance.random() < 0.3 else text


def matches(given, shown, path=()):
    """What was given is shown, but for what the contract completes or settles."""
    if path == ("buffer_period",):
        return True  # judged by the units: inherited, raised, switched off
    if given is None:  # a default, or the "" that a null of a map is
        return shown in (True, False, "")
    if isinstance(given, dict):
        names = path[-1:] == ("services",) and bool(given.get("names"))
        return isinstance(shown, dict) and all(
            (key == "regexp" and names) or (key == "names" and not value) or
            (key in ("terraform_version",) and value == "") or
            (key in shown and matches(value, shown[key], path + (key,)))
            for key, value in given.items())
    if path[-1:] == ("names",) and isinstance(given, list):
        return sorted(given, key=str.encode) == shown
    return given == shown


class Client:
    def __init__(self, node):
        self.connection = http.client.HTTPConnection(*node.api.split(":"), timeout=20)

    def ask(self, method, path, body=None, type="application/json"):
        headers = {"Content-Type": type} if body is not None else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.headers["Content-Type"] == "application/json"
        told = json.loads(text)
        if answer.status >= 400:
            assert list(told) in (["error", "request_id"], ["error", "request_id", "code"])
            assert isinstance(told["error"]["message"], str) and told["error"]["message"]
            assert told["request_id"] == answer.headers["X-Request-Id"]
        return answer.status, told, int(answer.headers["X-Muster-Index"])


def create(client, body, index):
    status, told, now = client.ask("POST", "/v1/tasks", body)
    if status != 201:
        assert status in (400, 413) and now == index, (status, told)
        return index
    assert now == index + 1
    given = json.loads(body)["task"]
    assert matches(given, told["task"]), (body, told)
    path = f"/v1/tasks/{quote(told['task']['name'])}"
    assert client.ask("GET", path)[1]["task"] == told["task"]
    again = {"task": {key: value for key, value in told["task"].items()}}
    assert client.ask("DELETE", path)[0] == 202
    status, same, _ = client.ask("POST", "/v1/tasks", json.dumps(again))
    assert status == 201 and same["task"] == told["task"]  # what is shown gives itself
    status, _, now = client.ask("DELETE", path)
    assert status == 202
    return now


def test_spoilt_bodies_of_post(node):
    seed = random.randrange(2 ** 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = Client(node)
    index = start = node.index()
    for _ in range(ROUNDS):
        index = create(client, make(chance), index)
    assert index - start > ROUNDS / 10  # enough of them were good
    assert node.tasks() == {} and node.index() == index


def test_spoilt_bodies_of_patch(node):
    seed = random.randrange(2 ** 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = Client(node)
    client.ask("POST", "/v1/tasks", b'{"task":{"name":"a","module":"m","condition":{}}}')
    index = node.index()
    for _ in range(ROUNDS):
        body = {chance.choice(["enabled", "Enabled", "x"]): chance.choice(VALUES)
                for _ in range(chance.choice([0, 1, 1, 1, 2]))}
        text = json.dumps(body).encode()
        if chance.random() < 0.3:
            text = spoil_bytes(chance, text)
        before = client.ask("GET", "/v1/tasks/a")[1]["task"]
        status, told, now = client.ask("PATCH", "/v1/tasks/a", text)
        after = client.ask("GET", "/v1/tasks/a")[1]["task"]
        changed = before != after
        assert status in (200, 400), (text, told)
        assert now == index + changed and not (changed and status != 200), text
        assert {**before, "enabled": None} == {**after, "enabled": None}
        index = now


def test_spoilt_merge_patches(node):
    """What is taken is what RFC 7386 makes of the task, and the update names it; what is
    refused has changed nothing."""
    seed = random.randrange(2 ** 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = Client(node)
    client.ask("POST", "/v1/tasks", b'{"task":{"name":"a","module":"m","condition":{}}}')
    index, taken = node.index(), 0
    for _ in range(ROUNDS):
        patch = {key: copy.deepcopy(chance.choice([SEEDS.get(key), *VALUES]))
                 for key in chance.sample([*SEEDS, "x"], chance.choice([0, 1, 1, 2]))}
        if chance.random() < 0.3:
            patch["condition"] = {"services": None, "catalog_services": None, "schedule": None,
                                  **copy.deepcopy(chance.choice(CONDITIONS))}
        if chance.random() < 0.9:
            patch.pop("name", None)
        text = json.dumps(patch, ensure_ascii=chance.random() < 0.5).encode(
            errors="surrogatepass")
        if chance.random() < 0.2:
            text = spoil_bytes(chance, text)
        before = client.ask("GET", "/v1/tasks/a")[1]["task"]
        status, told, now = client.ask("PATCH", "/v1/tasks/a", text,
                                       type="application/merge-patch+json")
        after = client.ask("GET", "/v1/tasks/a")[1]["task"]
        assert status in (200, 400), (text, told)
        assert now == index + (before != after), (text, told)
        index = now
        if status != 200:
            assert before == after, text
            continue
        assert told["task"] == after
        taken += 1
        if before != after:
            event = client.ask("GET", f"/v1/events?after={now - 1}")[1]["events"][0]
            assert (event["type"], event["data"]["changed"]) == ("task.updated", sorted(
                key for key in after if before[key] != after[key])), text
        for key, value in json.loads(text).items():
            if value is not None and not isinstance(value, dict):
                assert matches(value, after[key], (key,)), (text, after)
    assert taken > ROUNDS / 10


def test_spoilt_targets(node):
    """Parameters and names at random: an answer of ours, and nothing has changed."""
    seed = random.randrange(2 ** 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = Client(node)
    index = node.index()
    words = ["", "a", "0", "1", "1001", "-1", "events", "unknown", "task.created", "%FF", "ä",
             "now", "inspect", "%2F", "+", "%25", "=", "9" * 30, "x" * 300]
    names = ["after", "limit", "task", "type", "status", "include", "run", "consistent", "x"]
    for _ in range(ROUNDS):
        path = chance.choice(["/v1/tasks", "/v1/tasks/", "/v1/status", "/v1/status/tasks",
                              "/v1/status/tasks/", "/v1/events", "/v1/cluster"])
        path += quote(chance.choice(words), safe="%") if path.endswith("/") else ""
        query = "&".join(f"{chance.choice(names)}={quote(chance.choice(words), safe='%+=')}"
                         for _ in range(chance.randrange(4)))
        method = chance.choice(["GET", "GET", "PATCH", "DELETE", "PUT"])
        status, told, now = client.ask(method, f"{path}?{query}",
                                       None if method in ("GET", "DELETE") else b"{}")
        assert status in (200, 400, 404, 405, 501), (method, path, query, told)
        assert now == index
