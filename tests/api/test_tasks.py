# SPDX-License-Identifier: Apache-2.0
"""/v1/tasks as clients of CTS know it, and what muster adds to it."""
import json
import re

import pytest

from lib.load import task_body

pytestmark = pytest.mark.sanitized

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MISSING = "a task with name 'none' does not exist or has not been initialized yet"

# The seed page's example, and what it answers.
GIVEN = {"task": {
    "description": "Writes the service name, id, and IP address to a file",
    "enabled": True, "name": "task_a", "providers": ["my-provider"],
    "condition": {"services": {"names": ["web", "api"]}}, "module": "path/to/module"}}
SHOWN = {
    "buffer_period": {"enabled": True, "max": "20s", "min": "5s"},
    "condition": {"services": {
        "cts_user_defined_meta": {}, "datacenter": "", "filter": "",
        "names": ["api", "web"], "namespace": "", "use_as_module_input": True}},
    "description": "Writes the service name, id, and IP address to a file",
    "enabled": True, "module": "path/to/module", "module_input": {}, "name": "task_a",
    "providers": ["my-provider"], "variables": {}, "version": ""}


def message(answer):
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    return answer.json["error"]["message"]


def test_a_created_task_is_shown_with_every_default(node):
    answer = node.call("POST", "/v1/tasks", GIVEN)
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json) == ["request_id", "task"]
    assert answer.json["task"] == SHOWN
    assert list(answer.json["task"]) == sorted(SHOWN)
    assert UUID.fullmatch(answer.json["request_id"])
    assert answer.body.endswith(b"}\n") and b": " not in answer.body.replace(b"name, id", b"")
    shown = node.call("GET", "/v1/tasks/task_a")
    assert (shown.status, shown.json["task"]) == (200, SHOWN)
    assert shown.headers["ETag"] == answer.headers["ETag"]
    listed = node.call("GET", "/v1/tasks")
    assert list(listed.json) == ["request_id", "tasks"]
    assert listed.json["tasks"] == [SHOWN]


def test_tasks_are_listed_as_they_were_created(node):
    names = [f"t{n}" for n in (3, 1, 2)]
    for name in names:
        assert node.call("POST", "/v1/tasks", task_body(name, "")).status == 201
    assert [task["name"] for task in node.call("GET", "/tasks").json["tasks"]] == names


def test_a_name_is_taken_once(node):
    assert node.call("POST", "/v1/tasks", task_body("a", "first")).status == 201
    for body in (task_body("a", "second"),
                 {"task": {"name": "a", "module": "", "condition": {}}}):
        again = node.call("POST", "/v1/tasks", body)
        assert again.status == 400
        assert message(again) == "task with name a already exists"
    assert node.tasks()["a"]["description"] == "first"


@pytest.mark.parametrize("body, type, said", [
    (b"", "application/json", "value is required but missing"),
    (b"{}", "text/plain", 'header Content-Type has unexpected value "text/plain"'),
    (b"{}", None, 'header Content-Type has unexpected value ""'),
    (b"{", "application/json", "failed to decode request body: unexpected EOF"),
    (b'{"task":{}}', "application/json", 'property "name" is missing'),
    (b'{"foo":1}', "application/json", 'property "foo" is unsupported'),
    (b'{"task":1}', "application/json", 'Error at "/task": value must be an object'),
])
def test_a_wrong_body_is_refused_in_the_words_of_cts(shared, body, type, said):
    headers = {"Content-Type": type} if type else {}
    answer = shared.call("POST", "/v1/tasks", body, headers=headers)
    assert answer.status == 400
    assert message(answer).startswith("request body has an error: ")
    assert said in message(answer)


def test_a_content_type_may_have_parameters(node):
    body = json.dumps(task_body("a", "")).encode()
    for type in ("application/json; charset=utf-8", "Application/JSON"):
        node.call("DELETE", "/v1/tasks/a")
        assert node.call("POST", "/v1/tasks", body,
                         headers={"Content-Type": type}).status == 201


def test_enable_and_disable(node):
    etag = node.call("POST", "/v1/tasks", task_body("a", "")).headers["ETag"]
    for enabled, changed in ((True, False), (False, True), (False, False), (True, True)):
        answer = node.call("PATCH", "/v1/tasks/a", {"enabled": enabled})
        assert (answer.status, answer.body) == (200, b"{}\n")
        assert node.tasks()["a"]["enabled"] is enabled
        assert (answer.headers["ETag"] != etag) is changed
        etag = answer.headers["ETag"]
        assert node.call("GET", "/v1/tasks/a").headers["ETag"] == etag


@pytest.mark.parametrize("query, body, said", [
    ("", b"", "unexpected end of JSON input"),
    ("", b"x", "invalid character 'x' looking for beginning of value"),
    ("", b'{"b":1,"a":2,"enabled":true}',
     "request body's JSON contains unsupported keys: a, b"),
    ("", b"{}", "/v1/tasks/:task_name currently only supports the 'enabled' field. "
                "Missing 'enabled' from the request body"),
    ("?run=x", b"{}", "unsupported run parameter value. only supporting run values now "
                      "and inspect but got x"),
    ("?run=now&run=inspect", b"{}", "cannot support more than one run query parameter, "
                                    "got run values: [now inspect]"),
])
def test_a_wrong_patch_is_refused_in_the_words_of_cts(shared, query, body, said):
    shared.call("POST", "/v1/tasks", task_body("a", ""))
    for name in ("a", "none"):  # what is wrong with the request comes first
        answer = shared.call("PATCH", f"/v1/tasks/{name}{query}", body)
        assert answer.status == 400
        assert message(answer) == said


def test_delete_is_202_and_then_404(node):
    node.call("POST", "/v1/tasks", task_body("none", ""))
    answer = node.call("DELETE", "/v1/tasks/none")
    assert answer.status == 202
    assert list(answer.json) == ["request_id"]
    for method, body in (("DELETE", None), ("GET", None), ("PATCH", {"enabled": True})):
        answer = node.call(method, "/v1/tasks/none", body)
        assert answer.status == 404
        assert message(answer) == MISSING
    assert node.call("GET", "/v1/tasks").json["tasks"] == []


def test_a_wrong_run_is_refused_before_anything_else(node):
    node.call("POST", "/v1/tasks", task_body("a", ""))
    for run, said in (("x", 'not one of the allowed values ["now","inspect"]'),
                      ("", "empty value is not allowed"), ("NOW", "not one of")):
        answer = node.call("POST", f"/v1/tasks?run={run}", b"rubbish")
        assert answer.status == 400
        assert message(answer).startswith('parameter "run" in query has an error: ')
        assert said in message(answer)
    assert list(node.tasks()) == ["a"] and node.tasks()["a"]["enabled"] is True


def test_a_revision_never_comes_back(node):
    seen = set()
    for _ in range(3):
        seen.add(node.call("POST", "/v1/tasks", task_body("a", "")).headers["ETag"])
        seen.add(node.call("PATCH", "/v1/tasks/a", {"enabled": False}).headers["ETag"])
        node.call("DELETE", "/v1/tasks/a")
    assert len(seen) == 6


def test_if_none_match_is_304_until_the_task_changes(node):
    etag = node.call("POST", "/v1/tasks", task_body("a", "")).headers["ETag"]
    for method in ("GET", "HEAD"):
        for known in (etag, f'"0", W/{etag}', "*"):
            answer = node.call(method, "/v1/tasks/a", headers={"If-None-Match": known})
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["ETag"] == etag
        assert node.call(method, "/v1/tasks/a",
                         headers={"If-None-Match": '"0"'}).status == 200
    node.call("PATCH", "/v1/tasks/a", {"enabled": False})
    assert node.call("GET", "/v1/tasks/a", headers={"If-None-Match": etag}).status == 200


def pages(node, path, key, between):
    """Every page of that list, `between` called after each; all answers but the last have
    a token."""
    found, token = [], ""
    while token is not None:
        answer = node.call("GET", f"{path}{token and '&next_token=' + token}")
        assert answer.status == 200, answer
        body = answer.json
        token = body.pop("next_token", None)
        found.append(body[key] if key else body)
        between()
    return found


def test_pages_are_one_view_while_all_changes(node):
    for number in range(25):
        node.call("POST", "/v1/tasks", task_body(f"t{number}", ""))
    before = node.call("GET", "/v1/tasks").json["tasks"]
    states = node.call("GET", "/v1/status/tasks").json
    some = [task for task in before if task["name"].startswith("t1")]
    assert len(some) == 11
    numbers = iter(range(25))

    def between():
        number = next(numbers, 0)
        node.call("PATCH", f"/v1/tasks/t{24 - number}", {"enabled": False})
        node.call("DELETE", f"/v1/tasks/t{23 - number}")
        node.call("POST", "/v1/tasks", task_body(f"new{number}", ""))

    state_pages = pages(node, "/v1/status/tasks?per_page=4", None, lambda: None)
    assert [len(page) for page in state_pages] == [4, 4, 4, 4, 4, 4, 1]
    assert {name: state for page in state_pages for name, state in page.items()} == states
    some_pages = pages(node, "/v1/tasks?per_page=4&prefix=t1", "tasks", lambda: None)
    assert [task for page in some_pages for task in page] == some
    task_pages = pages(node, "/v1/tasks?per_page=10", "tasks", between)
    assert [len(page) for page in task_pages] == [10, 10, 5]
    assert [task for page in task_pages for task in page] == before


def test_a_token_of_another_process_is_410(node):
    for name in ("a", "b"):
        node.call("POST", "/v1/tasks", task_body(name, ""))
    token = node.call("GET", "/v1/tasks?per_page=1").json["next_token"]
    node.restart()
    answer = node.call("GET", f"/v1/tasks?next_token={token}")
    assert answer.status == 410 and "only the node that began it" in message(answer)
    assert answer.json["code"] == "gone"
    assert node.call("GET", "/v1/tasks?next_token=x").status == 400


def test_index_grows_with_each_change_and_is_the_change_s_own(node):
    index = node.index()
    for method, path, body in (("POST", "/v1/tasks", task_body("a", "")),
                               ("PATCH", "/v1/tasks/a", {"enabled": False}),
                               ("DELETE", "/v1/tasks/a", None)):
        answer = node.call(method, path, body)
        assert int(answer.headers["X-Muster-Index"]) == index + 1
        index += 1
        assert node.index() == index


@pytest.mark.parametrize("name", ["größe", "a-b_c", "_x", "x" * 128])
def test_names_as_cts_takes_them(shared, name):
    from urllib.parse import quote
    assert shared.call("POST", "/v1/tasks", task_body(name, "")).status == 201
    path = f"/v1/tasks/{quote(name)}"
    assert shared.call("GET", path).json["task"]["name"] == name
    assert shared.call("PATCH", path, {"enabled": False}).status == 200
    assert list(shared.call("GET", f"/v1/status/tasks/{quote(name)}").json) == [name]
    assert shared.call("DELETE", path).status == 202


@pytest.mark.parametrize("name", ["", "a b", "1a", "a/b", "x" * 129, "a\u0000b", "a.b"])
def test_names_that_are_none(shared, name):
    answer = shared.call("POST", "/v1/tasks", task_body(name, ""))
    assert answer.status == 400
    assert name not in shared.tasks()
