# SPDX-License-Identifier: Apache-2.0
"""Tokens: who shows none, a wrong one, one that allows less, and one that allows it."""
import base64
import re

import pytest

from lib.cli import FAILED, USAGE, done, muster
from lib.cluster import Cluster, Node
from lib.wait import wait_until

TASK = {"task": {"name": "web", "module": "./m", "condition": {}}}


def token(name, allow):
    """A new token and the line that lets it in."""
    said = done("token", "create", name, "--allow", allow)
    return (re.search(r"^token: +(\w{64})$", said, re.M)[1],
            re.search(r'\["(.*)"\]', said)[1])


def actors(node):
    """Of the tasks that were created."""
    events = node.call("GET", "/v1/events?type=task.created").json["events"]
    return [event["actor"] for event in events]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(name="guarded")
def guarded_node(tmp_path):
    """A node that knows two tokens, and their secrets."""
    writer, writer_line = token("ci", "write")
    operator, operator_line = token("ops", "operate,write")
    node = Node(tmp_path / "n1", "n1",
                settings={"access": {"tokens": [writer_line, operator_line]}})
    node.start()
    wait_until("it leads", node.leads)
    node.writer, node.operator = writer, operator
    yield node
    node.end()


def test_without_a_token_everything_may_be_read_and_nothing_done(guarded):
    for path in ("/v1/tasks", "/v1/status", "/v1/events", "/v1/cluster", "/v1/health"):
        assert guarded.call("GET", path).status == 200
    for method, path, body in (("POST", "/v1/tasks", TASK), ("DELETE", "/v1/tasks/web", None),
                               ("PUT", "/v1/tasks/web", TASK),
                               ("PATCH", "/v1/tasks/web", {"enabled": True}),
                               ("POST", "/v1/cluster/transfer", {}),
                               ("GET", "/v1/snapshot", None)):
        answer = guarded.call(method, path, body)
        assert answer.status == 401, (method, path, answer)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="muster"'
        assert answer.json["code"] == "unauthorized"
    assert guarded.tasks() == {}


def test_a_wrong_token_is_refused_for_reads_too(guarded):
    for headers in (bearer("0" * 64), bearer(guarded.writer[:-1]), bearer(guarded.writer + "0"),
                    bearer("x" * 2000), {"Authorization": guarded.writer},
                    {"Authorization": "Digest x"}, {"X-API-KEY": "nothing"},
                    {"Authorization": "Basic !!!!"}):
        for method, path, body in (("GET", "/v1/tasks", None), ("POST", "/v1/tasks", TASK)):
            answer = guarded.call(method, path, body, headers=headers)
            assert answer.status == 401, (headers, answer)
            assert guarded.writer not in answer.body.decode()
    assert guarded.call("GET", "/v1/health", headers=bearer("wrong")).status == 200
    assert guarded.tasks() == {}


def test_a_token_does_what_it_allows_and_is_named_in_the_event(guarded):
    basic = base64.b64encode(f"whoever:{guarded.writer}".encode()).decode()
    for n, headers in enumerate((bearer(guarded.writer), {"X-API-KEY": guarded.writer},
                                 {"Authorization": f"Basic {basic}"},
                                 bearer(guarded.operator))):
        task = {"task": dict(TASK["task"], name=f"web{n}")}
        assert guarded.call("POST", "/v1/tasks", task, headers=headers).status == 201
    assert actors(guarded) == ["ci", "ci", "ci", "ops"]
    refused = guarded.call("POST", "/v1/cluster/transfer", {}, headers=bearer(guarded.writer))
    assert refused.status == 403
    assert refused.json["error"]["message"] == (
        "this needs a token that allows operate; 'ci' allows write")
    allowed = guarded.call("GET", "/v1/snapshot", headers=bearer(guarded.operator))
    assert allowed.status == 200


def test_a_page_of_another_origin_is_refused_with_a_token_too(guarded):
    headers = dict(bearer(guarded.writer), Origin="http://evil.example")
    assert guarded.call("POST", "/v1/tasks", TASK, headers=headers).status == 403
    # Host is what protects who has no token.
    headers = dict(bearer(guarded.writer), Host="muster.example")
    assert guarded.call("POST", "/v1/tasks", TASK, headers=headers).status == 201


def test_the_command_line_shows_a_token(guarded, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(guarded.writer + "\n")
    task = tmp_path / "task.json"
    task.write_text('{"name": "web", "module": "./m", "condition": {}}')
    refused = muster("task", "create", task, address=guarded.api)
    assert refused.returncode == FAILED and "needs a token" in refused.stderr
    done("task", "create", task, "--token-file", secret, address=guarded.api)
    refused = muster("cluster", "transfer", "--token-file", secret, address=guarded.api)
    assert refused.returncode == FAILED and "allows operate" in refused.stderr
    for broken in ("", "a b\n", "\x01"):
        secret.write_text(broken)
        found = muster("task", "list", "--token-file", secret, address=guarded.api)
        assert found.returncode == USAGE and "visible ASCII" in found.stderr
    found = muster("task", "list", "--token-file", tmp_path / "none", address=guarded.api)
    assert found.returncode == FAILED and "No such file" in found.stderr


def test_a_secret_goes_to_its_owner_alone_and_replaces_nothing(tmp_path):
    secret = tmp_path / "secret"
    said = done("token", "create", "ci", "--allow", "write", "--secret-file", secret)
    assert re.fullmatch(r"\w{64}\n", secret.read_text())
    assert secret.read_text().strip() not in said
    assert secret.stat().st_mode & 0o777 == 0o600
    again = muster("token", "create", "ci", "--allow", "write", "--secret-file", secret)
    assert again.returncode == FAILED and "exists" in again.stderr
    wrong = muster("token", "create", "ci", "--allow", "all")
    assert wrong.returncode == USAGE and "none of write, run and operate" in wrong.stderr


def test_a_node_does_not_start_with_a_token_it_cannot_read(tmp_path):
    line = token("ci", "write")[1]
    for tokens, said in ((["ci write"], "token 1: a token is a line of three"),
                         ([line, "x " + line.split(" ", 1)[1]], "the same digest"),
                         ([f"t{n} write sha256:{n:064x}" for n in range(65)], "at most 64")):
        node = Node(tmp_path / str(len(tokens)), "n1", settings={"access": {"tokens": tokens}})
        code, log = node.start_fails()
        assert code == 3 and "access.tokens" in log and said in log, log


def test_a_write_that_is_handed_on_keeps_its_actor(tmp_path):
    secret, line = token("ci", "write")
    settings = {"access": {"tokens": [line]}, "cluster": {"follower_writes": "forward"}}
    with Cluster(tmp_path, settings=settings) as cluster:
        cluster.start()
        cluster.wait_ready()
        follower = next(node for node in cluster.nodes if not node.leads())
        assert follower.call("POST", "/v1/tasks", TASK).status == 401
        assert follower.call("POST", "/v1/tasks", TASK, headers=bearer(secret)).status == 201
        assert actors(cluster.leader()) == ["ci"]


def test_each_token_has_idempotency_keys_of_its_own(guarded):
    def create(secret, name):
        return guarded.call("POST", "/v1/tasks", {"task": {**TASK["task"], "name": name}},
                            headers={"Idempotency-Key": "k", **bearer(secret)})
    assert create(guarded.writer, "a").status == 201
    assert create(guarded.operator, "b").status == 201
    assert create(guarded.operator, "a").status == 422
    again = create(guarded.writer, "a")
    assert again.status == 201 and again.headers["Idempotency-Replayed"] == "true"


def test_a_run_needs_its_class_and_with_a_write_both(tmp_path):
    write, write_line = token("ci", "write")
    run, run_line = token("cron", "run")
    both, both_line = token("ops", "run,write")
    node = Node(tmp_path / "n1", "n1",
                settings={"access": {"tokens": [write_line, run_line, both_line]}})
    node.start()
    wait_until("it leads", node.leads)
    assert node.call("POST", "/v1/tasks", TASK, headers=bearer(write)).status == 201
    for method, path, body, allowed in (
            ("POST", "/v1/tasks/web/run", None, (run, both)),
            ("POST", "/v1/runs/1/cancel", None, (run, both)),
            ("PATCH", "/v1/tasks/web?run=inspect", {"enabled": False}, (both,)),
            ("POST", "/v1/tasks?run=now", TASK, (both,)),
            ("PUT", "/v1/tasks/web?run=inspect", TASK, (both,))):
        for secret in (write, run, both):
            answer = node.call(method, path, body, headers=bearer(secret))
            assert (answer.status == 403) is (secret not in allowed), (method, path, answer)
    node.end()
