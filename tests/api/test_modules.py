# SPDX-License-Identifier: Apache-2.0
"""Where a task's module may lie, and which time zones its schedule may name."""
import os

import pytest

from api.conftest import settle
from lib.cluster import Node


def task(name, module, **more):
    return {"task": {"name": name, "module": module, "condition": {}, **more}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """mods/web, mods/out -> /etc, mods/later -> nowhere, and a folder beside mods."""
    folder = tmp_path_factory.mktemp("modules").resolve()
    (folder / "mods" / "web").mkdir(parents=True)
    (folder / "other").mkdir()
    (folder / "mods" / "out").symlink_to("/etc")
    (folder / "mods" / "later").symlink_to("nowhere")
    return folder


@pytest.fixture(scope="module")
def bounded(folder, tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("bounded") / "n1", "n1",
                settings={"modules": [str(folder / "mods")]})
    settle(node.start())
    yield node
    node.end()


def error(answer):
    assert answer.status == 400, answer.body
    return answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["mods/web", "mods/not/there", "mods", "mods/./web/../web"])
def test_a_module_inside_is_taken(bounded, folder, path):
    made = bounded.call("PUT", "/v1/tasks/inside", task("inside", f"{folder}/{path}"))
    assert made.status in (200, 201)
    assert made.json["task"]["module"] == f"{folder}/{path}"  # as given


@pytest.mark.parametrize("path", ["other", "mods/../other", "mods/out", "mods/out/x",
                                  "mods/later", "modsx", ".."])
def test_a_module_outside_is_refused_at_every_door(bounded, folder, path):
    module = f"{folder}/{path}"
    wanted = f"module: '{module}' is in none of the folders of `modules`"
    if path == "mods/later":
        wanted = f"module: where '{module}' leads cannot be told"
    assert error(bounded.call("POST", "/v1/tasks", task("outside", module))) == wanted
    assert error(bounded.call("PUT", "/v1/tasks/outside", task("outside", module))) == wanted
    assert bounded.call("GET", "/v1/tasks/outside").status == 404
    bounded.call("PUT", "/v1/tasks/kept", task("kept", f"{folder}/mods/web"))
    assert error(bounded.call("PATCH", "/v1/tasks/kept", {"module": module}, headers={
        "Content-Type": "application/merge-patch+json"})) == wanted
    kept = bounded.call("GET", "/v1/tasks/kept").json["task"]
    assert kept["module"] == f"{folder}/mods/web"


@pytest.mark.parametrize("module", ["mods/web", "git::https://example.com/x.git",
                                    "hashicorp/consul/aws"])
def test_what_is_no_path_is_refused(bounded, module):
    assert error(bounded.call("POST", "/v1/tasks", task("t", module))) == \
        f"module: '{module}' is no path: it must begin with /, ./ or ../"


def test_a_relative_module_starts_at_the_working_folder(bounded, folder):
    inside = "./" + os.path.relpath(folder / "mods" / "web")
    assert bounded.call("PUT", "/v1/tasks/near", task("near", inside)).status == 201
    outside = "./" + os.path.relpath(folder / "other")
    error(bounded.call("PUT", "/v1/tasks/near", task("near", outside)))


def test_a_taken_name_and_a_wrong_form_are_told_first(bounded, folder):
    bounded.call("PUT", "/v1/tasks/first", task("first", f"{folder}/mods/web"))
    assert "already exists" in error(
        bounded.call("POST", "/v1/tasks", task("first", "/etc")))
    assert "request body has an error" in error(
        bounded.call("POST", "/v1/tasks", task("first", "/etc", more=1)))


def test_without_the_setting_anything_goes(shared):
    assert shared.call("POST", "/v1/tasks", task("any", "hashicorp/consul/aws")).status == 201
    assert shared.call("DELETE", "/v1/tasks/any").status == 202


def test_a_time_zone_must_be_known(shared):
    def scheduled(cron):
        return {"task": {"name": "z", "module": "m", "condition": {"schedule": {"cron": cron}}}}
    assert error(shared.call("POST", "/v1/tasks", scheduled("TZ=Europe/Atlantis 0 3 * * *"))) == \
        "schedule: there is no time zone 'Europe/Atlantis' in /usr/share/zoneinfo"
    assert "not a name of a time zone: '../passwd'" in error(
        shared.call("POST", "/v1/tasks", scheduled("TZ=../passwd 0 3 * * *")))
    line = "CRON_TZ=Europe/Berlin 0 3 * * mon-fri"
    made = shared.call("POST", "/v1/tasks", scheduled(line))
    assert made.status == 201
    assert made.json["task"]["condition"] == {"schedule": {"cron": line}}
    assert shared.call("DELETE", "/v1/tasks/z").status == 202
