# SPDX-License-Identifier: Apache-2.0
"""/v1/status, /v1/health, /v1/cluster, /v1/version."""
import pytest

from lib.load import task_body
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized


@pytest.fixture
def two(node):
    for name, enabled in (("b", True), ("a", False)):
        body = task_body(name, "")
        body["task"]["enabled"] = enabled
        assert node.call("POST", "/v1/tasks", body).status == 201
    return node


def test_overall_status_counts(two):
    answer = two.call("GET", "/v1/status")
    assert answer.status == 200
    assert answer.body == b'{"task_summary":{"status":{"successful":0,"errored":0,' \
        b'"critical":0,"unknown":2},"enabled":{"true":1,"false":1}}}\n'


def test_task_statuses(two):
    answer = two.call("GET", "/v1/status/tasks")
    assert answer.status == 200
    assert answer.json["a"] == {
        "task_name": "a", "status": "unknown", "enabled": False, "events_url": "",
        "providers": [], "services": []}
    assert set(answer.json) == {"a", "b"}
    assert two.call("GET", "/v1/status/tasks/b").json == {"b": answer.json["b"]}
    assert two.call("GET", "/v1/status/tasks?include=events").json == answer.json


def test_task_statuses_are_filtered(two):
    assert two.call("GET", "/v1/status/tasks?status=successful").body == b"{}\n"
    assert len(two.call("GET", "/v1/status/tasks?status=UNKNOWN").json) == 2
    # a task without events is shown whatever was asked for
    assert list(two.call("GET", "/v1/status/tasks/a?status=critical").json) == ["a"]


@pytest.mark.parametrize("query, said", [
    ("status=x", "unsupported status parameter value. only supporting status values "
                 "successful, errored, critical, and unknown but got x"),
    ("status=", "unsupported status parameter value. only supporting status values "
                "successful, errored, critical, and unknown but got "),
    ("status=a&status=b", "cannot support more than one status query parameter, got "
                          "status values: [a b]"),
    ("include=x", "unsupported ?include parameter value. only supporting "
                  "'include=events' but got 'include=x'"),
    ("include=events&include=x", "cannot support more than one include parameter, got "
                                 "include values: [events x]"),
])
def test_wrong_filters(shared, query, said):
    for path in ("/v1/status/tasks", "/v1/status/tasks/none"):  # before existence
        answer = shared.call("GET", f"{path}?{query}")
        assert answer.status == 400
        assert answer.json["error"]["message"] == said


def test_the_status_of_no_task_is_404(two):
    answer = two.call("GET", "/v1/status/tasks/none")
    assert answer.status == 404
    assert answer.json["error"]["message"] == \
        "a task with name 'none' does not exist or has not been initialized yet"


def test_health(shared):
    for path in ("/v1/health", "/health", "/v1/health/leader", "/v1/health/ready",
                 "/v1/health/writes"):
        answer = shared.call("GET", path)
        assert (answer.status, answer.body) == (200, b"{}\n")
        head = shared.call("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == "3"


def test_a_follower_is_no_leader_and_refuses_writes_with_its_name(cluster):
    leader = cluster.leader()
    name = leader.name
    for node in cluster.followers():
        answer = node.call("GET", "/v1/health/leader")
        assert answer.status == 503 and name in answer.json["error"]["message"]
        for method, path, body in (("POST", "/v1/tasks", task_body("a", "")),
                                   ("PATCH", "/v1/tasks/none", b"rubbish"),
                                   ("DELETE", "/v1/tasks/none", None)):
            answer = node.call(method, path, body)
            assert answer.status == 400
            assert answer.json == {
                "error": {"message":
                          f"redirect requests to leader '{name}' at {leader.api}"},
                "request_id": answer.headers["X-Request-Id"],
                "leader": {"id": name, "address": leader.api,
                           "url": f"http://{leader.api}"}}
            assert answer.headers["X-Muster-Not-Leader"] == "true"
            assert answer.headers["X-Muster-Leader"] == name
            assert answer.headers["X-Muster-Leader-Address"] == leader.api
        answer = node.call("POST", "/v1/tasks", {"task": {}})  # the schema comes first
        assert answer.status == 400 and "X-Muster-Not-Leader" not in answer.headers
    assert leader.call("POST", "/v1/tasks", task_body("a", "")).status == 201


def test_without_a_majority_nobody_is_named_and_health_says_so(cluster):
    left = cluster.followers()[0]
    for node in cluster.nodes:
        if node is not left:
            node.stop()

    def refused():
        answer = left.call("POST", "/v1/tasks", task_body("a", ""))
        return answer if answer.status == 400 and "leader" not in answer.json else None
    answer = wait_until("it knows no leader", refused)
    assert answer.json["error"]["message"] == "redirect requests to leader"
    assert answer.headers["X-Muster-Not-Leader"] == "true"
    assert "X-Muster-Leader" not in answer.headers
    assert left.call("GET", "/v1/health").status == 200
    assert left.call("GET", "/v1/health/leader").status == 503
    ready = left.call("GET", "/v1/health/ready")
    assert ready.status == 503 and ready.json["error"]["message"]
    status = left.call("GET", "/v1/status")
    assert status.status == 200
    assert status.headers["X-Muster-Known-Leader"] == "false"
    assert left.call("GET", "/v1/cluster").json["leader"] is None


def test_a_write_without_a_majority_is_504_and_reads_go_on(cluster):
    leader = cluster.leader()
    for node in cluster.followers():
        node.pause()
    answer = leader.call("POST", "/v1/tasks", task_body("a", ""), timeout=40)
    if answer.status == 504:
        assert answer.json["code"] == "outcome_unknown"
    else:  # it noticed first that it leads no more
        assert answer.status == 400 and answer.headers["X-Muster-Not-Leader"] == "true"
    assert leader.call("GET", "/v1/tasks").status == 200


def test_cluster_and_its_cts_form(shared):
    answer = shared.call("GET", "/v1/status/cluster")
    assert answer.json == {
        "cluster_name": "test",
        "members": [{"address": shared.api, "healthy": True, "id": "n1", "leader": True,
                     "service_name": "muster"}],
        "request_id": answer.headers["X-Request-Id"]}
    cluster = shared.cluster()
    assert cluster["leader"] == {"id": "n1", "address": shared.api}
    assert cluster["node"]["name"] == "n1" and cluster["node"]["role"] == "leader"
    assert int(cluster["node"]["id"]) > 0 and int(cluster["cluster_id"]) > 0
    assert [member["name"] for member in cluster["members"]] == ["n1"]


def test_version(shared):
    assert shared.call("GET", "/v1/version").json["version"]


def test_reads_say_how_fresh_they_are(shared):
    answer = shared.call("GET", "/v1/status")
    assert answer.headers["X-Muster-Known-Leader"] == "true"
    assert int(answer.headers["X-Muster-Last-Contact"]) >= 0
    assert int(answer.headers["X-Muster-Index"]) >= 0
