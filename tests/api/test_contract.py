# SPDX-License-Identifier: Apache-2.0
"""Every message of the task registry's contract, one row each, at the edges of each limit.

A row: what is sent, then the status and the whole text that comes back. None as the text:
it is accepted."""
import json
from urllib.parse import quote

import pytest

from lib.load import task_body
from lib.raw import exchange, head

pytestmark = pytest.mark.sanitized

BODY = "request body has an error: "
JSON = BODY + "failed to decode request body: "
SCHEMA = BODY + "doesn't match schema #/components/schemas/TaskRequest: "
SERVICES = 'error validating `condition "services"` block: '
INPUT = 'error validating `module_input "services"` block: '
CONFIG = "error with task configuration: time: "
REGEXP = SERVICES + "unable to compile services regexp: error parsing regexp: "
NAME_RULE = ("a task name must start with a letter or underscore and may contain only "
             "letters, digits, underscores, and dashes: ")
ENTERPRISE = ('unsupported configuration \'%s\' for task "x". This option is available for '
              "Consul-Terraform-Sync Enterprise when using the Terraform Cloud driver%s")
NEITHER = "either the regexp or names field must be configured"
PATCH_MISSING = ("/v1/tasks/:task_name currently only supports the 'enabled' field. Missing "
                 "'enabled' from the request body")
GO_MAP = " into Go value of type map[string]interface {}"
NO_TASK = "a task with name 'none' does not exist or has not been initialized yet"
NO_KEY = "Idempotency-Key must have 1 to 128 visible ASCII characters, and no spaces"


def cron_text(cron, why):
    shown = json.dumps(cron) if len(cron) <= 128 else f'"{cron[:128]}"…'
    return (f"unable to parse schedule condition's cron config {shown}: {why}. for more "
            "information on writing cron expressions, see "
            "https://github.com/hashicorp/cronexpr")


def at(path, what):
    return f'{SCHEMA}Error at "/task/{path}": {what}'


def task(**more):
    return {"task": {"name": "x", "module": "m", "condition": {}, **more}}


def condition(**kinds):
    return task(condition=kinds)


def services(**fields):
    return condition(services=fields)


def cron(text):
    return condition(schedule={"cron": text})


def buffer(**fields):
    return task(buffer_period=fields)


def without(key):
    body = task()
    del body["task"][key]
    return body


def nested(depth):
    """A value that makes the whole body so deep."""
    return b'{"task":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def of_values(count):
    """A good body of exactly so many values and keys."""
    own = 13  # of the body without what is in these two
    many = (count - own) // 2
    padding = ["p"] if (count - own) % 2 else []
    return task(variables={f"v{n}": "" for n in range(many)}, providers=padding)


def with_text(raw):
    return b'{"task":{"name":"x","module":"m","condition":{},"description":"' + raw + b'"}}'


# --- POST /v1/tasks: the text itself ---------------------------------------------------

SYNTAX = [
    (b"", 400, BODY + "value is required but missing"),
    (b" \n", 400, JSON + "EOF"),
    (b"{", 400, JSON + "unexpected EOF"),
    (b'{"task":{"name":"a",}}', 400,
     JSON + "invalid character '}' looking for beginning of object key string"),
    (b"\xef\xbb\xbf{}", 400, JSON + "invalid character 'ï' looking for beginning of value"),
    (b"{} {}", 400, JSON + "invalid character '{' after top-level value"),
    (b"{}\0", 400, JSON + "invalid character '\\x00' after top-level value"),
    (nested(16), 400, f'{SCHEMA}Error at "/task": value must be an object'),
    (nested(17), 400, JSON + "exceeded max depth"),
    (b'{"task":{},"task":{}}', 400, JSON + 'duplicate object key "task"'),
    (b'{"task":{"name":"a","n\\u0061me":"a"}}', 400, JSON + 'duplicate object key "name"'),
    (b'{"a":1e308}', 400, SCHEMA + 'property "a" is unsupported'),
    (b'{"a":1e309}', 400, JSON + "number 1e309 is out of range"),
    (b'{"a":-1e309}', 400, JSON + "number -1e309 is out of range"),
    (b'{"a":01}', 400, JSON + "invalid character '1' after object key:value pair"),
    (b'{"a":NaN}', 400, JSON + "invalid character 'N' looking for beginning of value"),
    (with_text(b"a\0b"), 400, JSON + "invalid character '\\x00' in string literal"),
    (with_text(b"a\nb"), 400, JSON + "invalid character '\\n' in string literal"),
    (with_text(b"\\u0000"), 400, JSON + "invalid NUL character in string"),
    (with_text(b"\\ud800"), 400, JSON + "invalid surrogate pair in string"),
    (with_text(b"\\udc00"), 400, JSON + "invalid surrogate pair in string"),
    (with_text(b"\\ud800\\u0041"), 400, JSON + "invalid surrogate pair in string"),
    (with_text(b"\\ud83d\\ude00"), 201, None),
    (with_text(b"\xff"), 400, JSON + "invalid UTF-8 in string"),
    (with_text(b"\xc0\x80"), 400, JSON + "invalid UTF-8 in string"),
    (with_text(b"\xed\xa0\x80"), 400, JSON + "invalid UTF-8 in string"),
    (with_text(b"\xf4\x90\x80\x80"), 400, JSON + "invalid UTF-8 in string"),
    (with_text(b"\xf4\x8f\xbf\xbd"), 201, None),
    (with_text(b"\\x"), 400, JSON + "invalid character 'x' in string escape code"),
    (of_values(9999), 201, None),
    (of_values(10000), 201, None),
    (of_values(10001), 413, JSON + "JSON text has more than 10000 values"),
]

# --- POST /v1/tasks: the schema --------------------------------------------------------

SHAPE = [
    ([], 400, SCHEMA + "value must be an object"),
    (b"null", 400, SCHEMA + "Value is not nullable"),
    ({}, 400, f'{SCHEMA}Error at "/task": property "task" is missing'),
    ({"foo": 1}, 400, SCHEMA + 'property "foo" is unsupported'),
    ({"task": None}, 400, f'{SCHEMA}Error at "/task": Value is not nullable'),
    ({"task": {}}, 400, at("name", 'property "name" is missing')),
    (without("name"), 400, at("name", 'property "name" is missing')),
    (without("module"), 400, at("module", 'property "module" is missing')),
    (without("condition"), 400, at("condition", 'property "condition" is missing')),
    (services(name="a"), 400, at("condition/services", 'property "name" is unsupported')),
    (condition(cron={}), 400, at("condition", 'property "cron" is unsupported')),
    (condition(catalog_services={}), 400,
     at("condition/catalog_services/regexp", 'property "regexp" is missing')),
    (condition(consul_kv={}), 400,
     at("condition/consul_kv/path", 'property "path" is missing')),
    (condition(schedule={}), 400,
     at("condition/schedule/cron", 'property "cron" is missing')),
    (task(module_input={"schedule": {"cron": "@daily"}}), 400,
     at("module_input", 'property "schedule" is unsupported')),
    (task(module_input={"consul_kv": {}}), 400,
     at("module_input/consul_kv/path", 'property "path" is missing')),
    *[(task(**{key: 1}), 400, f'{SCHEMA}Error at "/task": property "{key}" is unsupported')
      for key in ("working_dir", "variable_files", "source", "services", "deleting", "")],
    # several faults: properties and unknown keys in one order, what is missing last
    ({"task": {"name": 1, "module": 1}}, 400, at("module", "value must be a string")),
    ({"task": {"a": 1, "module": 1}}, 400,
     f'{SCHEMA}Error at "/task": property "a" is unsupported'),
    ({"task": {"module": 1, "z": 1}}, 400, at("module", "value must be a string")),
    ({"task": {"z": 1}}, 400, f'{SCHEMA}Error at "/task": property "z" is unsupported'),
]

# Every field, and what it must be: (path of keys, word, may be null).
STRING, BOOL, ARRAY, OBJECT = "a string", "a boolean", "an array", "an object"
FIELDS = [
    ("buffer_period", OBJECT, False), ("buffer_period/enabled", BOOL, False),
    ("buffer_period/max", STRING, False), ("buffer_period/min", STRING, False),
    ("condition", OBJECT, False), ("condition/catalog_services", OBJECT, False),
    ("condition/catalog_services/datacenter", STRING, False),
    ("condition/catalog_services/namespace", STRING, False),
    ("condition/catalog_services/node_meta", OBJECT, False),
    ("condition/catalog_services/node_meta/k", STRING, False),
    ("condition/catalog_services/regexp", STRING, False),
    ("condition/catalog_services/use_as_module_input", BOOL, True),
    ("condition/consul_kv", OBJECT, False),
    ("condition/consul_kv/datacenter", STRING, False),
    ("condition/consul_kv/namespace", STRING, False),
    ("condition/consul_kv/path", STRING, False),
    ("condition/consul_kv/recurse", BOOL, True),
    ("condition/consul_kv/use_as_module_input", BOOL, True),
    ("condition/schedule", OBJECT, False), ("condition/schedule/cron", STRING, False),
    ("condition/services", OBJECT, False),
    ("condition/services/cts_user_defined_meta", OBJECT, False),
    ("condition/services/cts_user_defined_meta/k", STRING, True),
    ("condition/services/datacenter", STRING, False),
    ("condition/services/filter", STRING, False),
    ("condition/services/names", ARRAY, False),
    ("condition/services/namespace", STRING, False),
    ("condition/services/regexp", STRING, False),
    ("condition/services/use_as_module_input", BOOL, True),
    ("description", STRING, False), ("enabled", BOOL, True), ("module", STRING, False),
    ("module_input", OBJECT, False), ("module_input/consul_kv", OBJECT, False),
    ("module_input/consul_kv/path", STRING, False),
    ("module_input/consul_kv/recurse", BOOL, True),
    ("module_input/services", OBJECT, False),
    ("module_input/services/cts_user_defined_meta", OBJECT, False),
    ("module_input/services/names", ARRAY, False),
    ("module_input/services/regexp", STRING, False),
    ("name", STRING, False), ("providers", ARRAY, False),
    ("terraform_cloud_workspace", OBJECT, False),
    ("terraform_cloud_workspace/execution_mode", STRING, False),
    ("terraform_version", STRING, False), ("variables", OBJECT, False),
    ("variables/k", STRING, False), ("version", STRING, False),
]
SAMPLES = {STRING: "s", BOOL: True, ARRAY: ["s"], OBJECT: {}, "a number": 1}

# --- POST /v1/tasks: the rules ---------------------------------------------------------

RULES = [
    (task(name=""), 400, "unique name for the task is required"),
    (task(name="x" * 127), 201, None),
    (task(name="x" * 128), 201, None),
    (task(name="x" * 129), 400, "a task name must have at most 128 bytes, this one has 129"),
    (task(name="ä" * 64), 201, None),
    (task(name="ä" * 64 + "a"), 400,
     "a task name must have at most 128 bytes, this one has 129"),
    *[(task(name=name), 400, NAME_RULE + json.dumps(name, ensure_ascii=False))
      for name in ("1x", "-x", "a b", "a/b", "a.b", "a\nb", "a\"b", " a", "a ", ".", "..")],
    (task(name="_"), 201, None),
    (task(module=""), 400, "module for the task is required"),
    (task(module="m" * 100000), 201, None),
    (task(terraform_version="1.0"), 400, ENTERPRISE % (
        "terraform_version",
        ", or configure the Terraform client version within the Terraform driver block")),
    (task(terraform_version=""), 201, None),
    (task(terraform_cloud_workspace={}), 400, ENTERPRISE % ("terraform_cloud_workspace", "")),
    (task(providers=["a", "b.a", "c"]), 201, None),
    (task(providers=["a.x", "a.y"]), 400, "only one provider instance per task"),
    (task(providers=["a", "a"]), 400, "only one provider instance per task"),
    (task(variables={"": "", "ä": "[1]", "k" * 5000: "v"}), 201, None),
    (task(version=">= 1.0, < 2.0"), 201, None),
    # services
    (services(), 400, SERVICES + NEITHER),
    (services(names=[]), 400, SERVICES + NEITHER),
    (services(names=["a", ""]), 400, SERVICES + "names field includes empty string(s). "
                                                "services names cannot be empty"),
    (services(regexp=""), 201, None),
    (services(names=["a"], regexp="("), 201, None),  # names win, as in CTS
    (services(regexp="(a"), 400, REGEXP + "missing closing ): `(a`"),
    (services(regexp="a)"), 400, REGEXP + "unexpected ): `a)`"),
    (services(regexp="[a"), 400, REGEXP + "missing closing ]: `[a`"),
    (services(regexp="[b-a]"), 400, REGEXP + "invalid character class range: `b-a`"),
    (services(regexp="a{1000}"), 201, None),
    (services(regexp="a{1001}"), 400, REGEXP + "invalid repeat count: `{1001}`"),
    (services(regexp="a{2,1}"), 400, REGEXP + "invalid repeat count: `{2,1}`"),
    (services(regexp="a**"), 400, REGEXP + "invalid nested repetition operator: `**`"),
    (services(regexp="(?=a)"), 400, REGEXP + "invalid or unsupported Perl syntax: `(?=`"),
    (services(regexp="a\\"), 400, REGEXP + "trailing backslash at end of expression: ``"),
    (services(regexp="(" * 1000 + ")" * 1000), 201, None),
    (services(regexp="(" * 1001 + ")" * 1001), 400, None),
    (services(regexp="a" * 65536), 201, None),
    (services(regexp="a" * 65537), 400, REGEXP + "expression too large"),
    # catalog-services, consul-kv
    (condition(catalog_services={"regexp": ""}), 201, None),
    (condition(catalog_services={"regexp": "*"}), 400,
     "unable to compile catalog-services 'regexp': error parsing regexp: missing argument "
     "to repetition operator: `*`"),
    (condition(consul_kv={"path": ""}), 400, "path is required for consul-kv condition"),
    (condition(consul_kv={"path": "/"}), 201, None),
    # schedule
    (cron(""), 400, "cron config is required for schedule condition"),
    (cron("* * * *"), 400, cron_text("* * * *", "missing field(s)")),
    (cron("* * * * *"), 201, None),
    (cron("* * * * * * *"), 201, None),
    (cron("* * * * * * * ignored"), 201, None),
    (cron("0-59 0-23 1-31 1-12 0-7 1970-2099"), 201, None),
    (cron("60 * * * *"), 400, cron_text("60 * * * *", "syntax error in minute field: '60'")),
    (cron("* 24 * * *"), 400, cron_text("* 24 * * *", "syntax error in hour field: '24'")),
    (cron("* * 0 * *"), 400,
     cron_text("* * 0 * *", "syntax error in day-of-month field: '0'")),
    (cron("* * 32 * *"), 400,
     cron_text("* * 32 * *", "syntax error in day-of-month field: '32'")),
    (cron("* * * 13 *"), 400, cron_text("* * * 13 *", "syntax error in month field: '13'")),
    (cron("* * * * 8"), 400, cron_text("* * * * 8", "syntax error in day-of-week field: '8'")),
    (cron("* * * * * 1969"), 400,
     cron_text("* * * * * 1969", "syntax error in year field: '1969'")),
    (cron("* * * * * 2100"), 400,
     cron_text("* * * * * 2100", "syntax error in year field: '2100'")),
    (cron("60 * * * * * *"), 400,
     cron_text("60 * * * * * *", "syntax error in second field: '60'")),
    (cron("*/59 * * * *"), 201, None),
    (cron("*/60 * * * *"), 400, cron_text("*/60 * * * *", "invalid interval */60")),
    (cron(", * * * *"), 400, cron_text(", * * * *", "minute field: missing directive")),
    (cron("@daily"), 201, None),
    (cron("@never"), 400, cron_text("@never", "missing field(s)")),
    (cron("* * * * *" + " " * 4087), 201, None),
    (cron("* * * * *" + " " * 4088), 400,
     cron_text("* * * * *" + " " * 4088, "line has more than 4096 bytes")),
    # several conditions, the same kind twice
    (condition(schedule={"cron": ""}, services={}, consul_kv={"path": ""}), 400,
     "only one condition can be configured, got: services, consul_kv, schedule"),
    *[({"task": {"name": "x", "module": "m", "condition": {kind: value},
                 "module_input": {kind: value}}}, 400,
       f"task's condition block and module_input block both monitor \"{kind}\" variable "
       "type. condition and module_input variable type must be unique")
      for kind, value in (("services", {"names": ["a"]}), ("consul_kv", {"path": "a"}))],
    (task(module_input={"services": {}}), 400, INPUT + NEITHER),
    (task(module_input={"consul_kv": {"path": ""}}), 400,
     "path is required for consul-kv module_input"),
    # buffer period
    (buffer(), 201, None),
    (buffer(min="5"), 400, CONFIG + 'missing unit in duration "5"'),
    (buffer(max=""), 400, CONFIG + 'invalid duration ""'),
    (buffer(min="x"), 400, CONFIG + 'invalid duration "x"'),
    (buffer(min="5d"), 400, CONFIG + 'unknown unit "d" in duration "5d"'),
    (buffer(min="9223372036854775807ns"), 201, None),
    (buffer(min="9223372036854775808ns"), 400,
     CONFIG + 'invalid duration "9223372036854775808ns"'),
    (buffer(min="0"), 201, None),
    (buffer(min="-1ns"), 400, "buffer_period: cannot be negative"),
    (buffer(enabled=False, max="-1ns"), 400, "buffer_period: cannot be negative"),
    # the order of several faults
    (task(name="", module="", buffer_period={"max": "x", "min": "y"}), 400,
     CONFIG + 'invalid duration "x"'),
    (task(name="", module="", providers=["a", "a"]), 400,
     "unique name for the task is required"),
    (task(module="", terraform_version="1"), 400, "module for the task is required"),
    (task(providers=["a", "a"], condition={"services": {}}), 400,
     "only one provider instance per task"),
    (task(condition={"services": {}}, module_input={"services": {}}), 400,
     SERVICES + NEITHER),
    (task(module_input={"services": {}}, buffer_period={"min": "-1s"}), 400, INPUT + NEITHER),
]

# --- PATCH /v1/tasks/a -----------------------------------------------------------------

PATCHES = [
    (b"", 400, "unexpected end of JSON input"),
    (b"{", 400, "unexpected end of JSON input"),
    (b"x", 400, "invalid character 'x' looking for beginning of value"),
    (b'{"enabled":true}}', 400, "invalid character '}' after top-level value"),
    ({}, 400, PATCH_MISSING),
    (b"null", 400, PATCH_MISSING),
    ({"enabled": None}, 400, PATCH_MISSING),
    ([], 400, "json: cannot unmarshal array" + GO_MAP),
    (b"true", 400, "json: cannot unmarshal bool" + GO_MAP),
    (b"1", 400, "json: cannot unmarshal number" + GO_MAP),
    (b'"a"', 400, "json: cannot unmarshal string" + GO_MAP),
    ({"b": 1, "a": 2, "enabled": True}, 400,
     "request body's JSON contains unsupported keys: a, b"),
    ({"enabled": "maybe"}, 400,
     "1 error(s) decoding:\n\n* cannot parse 'enabled' as bool: strconv.ParseBool: parsing "
     '"maybe": invalid syntax'),
    ({"enabled": []}, 400, "1 error(s) decoding:\n\n* 'enabled' expected type 'bool', got "
                           "unconvertible type '[]interface {}'"),
    ({"enabled": {}}, 400, "1 error(s) decoding:\n\n* 'enabled' expected type 'bool', got "
                           "unconvertible type 'map[string]interface {}'"),
    (b'{"enabled":true,"enabled":false}', 400, 'duplicate object key "enabled"'),
    (b'{"enabled":1e309}', 400, "number 1e309 is out of range"),
    (b'{"enabled":"\\ud800"}', 400, "invalid surrogate pair in string"),
    (b"[" * 17, 400, "exceeded max depth"),
]

# --- parameters and headers ------------------------------------------------------------

GOOD = json.dumps(task()).encode()
A = json.dumps(task_body("a", "")).encode()
NONE = json.dumps(task_body("none", "")).encode()
AS_JSON = {"Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}
RUN = 'parameter "run" in query has an error: '
TYPE = BODY + "header Content-Type has unexpected value "
PATCH_RUN = ("unsupported run parameter value. only supporting run values now and inspect "
             "but got ")
STATUS = ("unsupported status parameter value. only supporting status values successful, "
          "errored, critical, and unknown but got ")
INCLUDE = "unsupported ?include parameter value. only supporting 'include=events' but got "
NUMBER = "parameter '%s' must be a number from %d to %d, not '%s'"
AFTER_MOST = 2 ** 63 - 1

REQUESTS = [
    ("POST", "/v1/tasks?run=x", b"rubbish", {}, 400,
     RUN + 'value is not one of the allowed values ["now","inspect"]'),
    ("POST", "/v1/tasks?run=", b"rubbish", {}, 400, RUN + "empty value is not allowed"),
    ("POST", "/v1/tasks?run=NOW", b"rubbish", {}, 400,
     RUN + 'value is not one of the allowed values ["now","inspect"]'),
    ("POST", "/v1/tasks?run=now", b"{}", {}, 400, TYPE + '""'),
    ("POST", "/v1/tasks?run=now", b"{}", AS_JSON, 400,
     f'{SCHEMA}Error at "/task": property "task" is missing'),
    ("POST", "/v1/tasks?run=now", json.dumps(task(module="")).encode(), AS_JSON, 400,
     "module for the task is required"),
    ("POST", "/v1/tasks", GOOD, {}, 400, TYPE + '""'),
    ("POST", "/v1/tasks", GOOD, {"Content-Type": "text/plain"}, 400, TYPE + '"text/plain"'),
    ("POST", "/v1/tasks", GOOD, {"Content-Type": 'a"b'}, 400, TYPE + '"a\\"b"'),
    ("POST", "/v1/tasks", GOOD, {"Content-Type": "application/jsonx"}, 400,
     TYPE + '"application/jsonx"'),
    ("POST", "/v1/tasks", json.dumps(task_body("a", "")).encode(), AS_JSON, 400,
     "task with name a already exists"),
    ("POST", "/v1/tasks?run=now", json.dumps(task_body("a", "")).encode(), AS_JSON, 400,
     "task with name a already exists"),
    ("PATCH", "/v1/tasks/none?run=now", b'{"enabled":true}', {}, 404, NO_TASK),
    ("PATCH", "/v1/tasks/a?run=Never", b"rubbish", {}, 400, PATCH_RUN + "never"),
    ("PATCH", "/v1/tasks/a?run=", b"rubbish", {}, 400, PATCH_RUN),
    ("PATCH", "/v1/tasks/a?" + "&".join(f"run={n}" for n in range(10)), b"rubbish", {}, 400,
     "cannot support more than one run query parameter, got run values: "
     "[0 1 2 3 4 5 6 7 8 9]"),
    ("PATCH", "/v1/tasks/none", b'{"enabled":true}', {}, 404, NO_TASK),
    ("PATCH", "/v1/tasks/none", b"{}", {}, 400, PATCH_MISSING),
    ("GET", "/v1/tasks/none", None, {}, 404, NO_TASK),
    ("DELETE", "/v1/tasks/none", None, {}, 404, NO_TASK),
    ("GET", "/v1/status/tasks/none", None, {}, 404, NO_TASK),
    ("GET", "/v1/status/tasks?status=Bad", None, {}, 400, STATUS + "bad"),
    ("GET", "/v1/status/tasks/none?status=", None, {}, 400, STATUS),
    ("GET", "/v1/status/tasks?" + "&".join(f"status={n}" for n in range(10)), None, {}, 400,
     "cannot support more than one status query parameter, got status values: "
     "[0 1 2 3 4 5 6 7 8 9]"),
    ("GET", "/v1/status/tasks?include=Events", None, {}, 400, INCLUDE + "'include=Events'"),
    ("GET", "/v1/status/tasks/a?include=", None, {}, 400, INCLUDE + "'include='"),
    ("GET", "/v1/status/tasks/none?include=a&include=b", None, {}, 400,
     "cannot support more than one include parameter, got include values: [a b]"),
    ("GET", "/v1/status/tasks?include=x&status=y", None, {}, 400, STATUS + "y"),
    *[("GET", f"/v1/events?after={value}", None, {}, 400,
       NUMBER % ("after", 0, AFTER_MOST, value))
      for value in ("", "-1", "x", "1x", "0x1", "1.0", str(AFTER_MOST + 1), str(2 ** 64))],
    ("GET", f"/v1/events?after={AFTER_MOST}", None, {}, 200, None),
    *[("GET", f"/v1/events?limit={value}", None, {}, 400, NUMBER % ("limit", 1, 1000, value))
      for value in ("", "0", "-1", "1001", "all")],
    ("GET", "/v1/events?limit=1", None, {}, 200, None),
    ("GET", "/v1/events?limit=1000", None, {}, 200, None),
    *[("GET", f"/v1/events?task={value}", None, {}, 400,
       f"parameter 'task' must be the name of a task, not '{value}'")
      for value in ("", "1", "a.b", "x" * 129)],
    ("GET", "/v1/events?task=" + "x" * 128, None, {}, 200, None),
    ("GET", "/v1/events?type=", None, {}, 400, "there is no event type ''"),
    ("GET", "/v1/events?type=task.Created", None, {}, 400,
     "there is no event type 'task.Created'"),
    *[("GET", f"/v1/events?{name}=1&{name}=2", None, {}, 400,
       f"parameter '{name}' is given 2 times") for name in ("after", "limit", "task", "type")],
    ("POST", "/v1/tasks", GOOD, {**AS_JSON, "If-Match": '"1"'}, 400,
     "If-Match has no meaning on a POST, which only creates"),
    *[(method, path, body, {"If-None-Match": value, **AS_JSON}, 400,
       "of writes only PUT takes If-None-Match, and only with *")
      for method, path, body, value in (
          ("POST", "/v1/tasks", GOOD, "*"), ("PATCH", "/v1/tasks/a", b'{"enabled":false}', "*"),
          ("DELETE", "/v1/tasks/a", None, "*"), ("PUT", "/v1/tasks/x", GOOD, '"1"'))],
    *[(method, "/v1/tasks/a", body, {"If-Match": value, **AS_JSON}, 400,
       "If-Match must be * or one revision in quotes, as ETag has it")
      for method, body in (("PUT", A), ("PATCH", b'{"enabled":false}'), ("DELETE", None))
      for value in ("1", '"1', '1"', '"1", "2"', "**", '"', 'W/1', 'w/"1"', "'1'")],
    *[(method, "/v1/tasks/a", body, {"If-Match": value, **AS_JSON}, 412,
       "task 'a' has revision 2, which If-Match does not name")
      for method, body in (("PUT", A), ("PATCH", b'{"enabled":false}'), ("DELETE", None))
      for value in ('"1"', '"0"', '"02"', 'W/"2"', '""', '"x"', '"-2"', '"18446744073709551618"')],
    *[(method, "/v1/tasks/none", body, {"If-Match": value, **AS_JSON}, 412,
       "task 'none' does not exist")
      for method, body in (("PUT", NONE), ("PATCH", b'{"enabled":false}'), ("DELETE", None))
      for value in ('"2"', "*")],
    ("PUT", "/v1/tasks/a", A, {"If-None-Match": "*", **AS_JSON}, 412,
     "task 'a' exists, with revision 2"),
    ("PUT", "/v1/tasks/a", A, {"If-None-Match": "*", "If-Match": "*", **AS_JSON}, 400,
     "If-Match and If-None-Match exclude one another"),
    ("PUT", "/v1/tasks/b", A, AS_JSON, 400, "the path names task 'b', the body 'a'"),
    ("PUT", "/v1/tasks/b", b"{}", AS_JSON, 400,
     f'{SCHEMA}Error at "/task": property "task" is missing'),
    ("PUT", "/v1/tasks/x", GOOD, {}, 400, TYPE + '""'),
    ("PUT", "/v1/tasks/x?run=now", GOOD, {"If-Match": "*", **AS_JSON}, 412,
     "task 'x' does not exist"),
    ("PUT", "/v1/tasks/x?run=NOW", GOOD, AS_JSON, 400,
     RUN + 'value is not one of the allowed values ["now","inspect"]'),
    ("PUT", "/v1/tasks/1", json.dumps(task(name="1")).encode(), AS_JSON, 400, NAME_RULE + '"1"'),
    ("PUT", "/v1/tasks/x", GOOD, AS_JSON, 201, None),
    *[("PATCH", "/v1/tasks/" + name, body, MERGE, 400, said)
      for name in ("a", "none") for body, said in (
          (b"", "unexpected end of JSON input"),
          (b"7", "a merge patch of a task must be an object"),
          (b'{"name":"a"}', "a merge patch cannot change 'name': it is what the path names"),
          (b'{"module":"1","module":"2"}', 'duplicate object key "module"'))],
    ("PATCH", "/v1/tasks/none", b'{"foo":1}', MERGE, 404, NO_TASK),
    ("PATCH", "/v1/tasks/none", b'{"foo":1}', {"If-Match": "*", **MERGE}, 412,
     "task 'none' does not exist"),
    ("PATCH", "/v1/tasks/a", b'{"foo":1}', MERGE, 400,
     'property "foo" is unsupported'),
    ("PATCH", "/v1/tasks/a", b'{"module":null}', MERGE, 400,
     'Error at "/module": property "module" is missing'),
    ("PATCH", "/v1/tasks/a", b'{"module":1}', MERGE, 400,
     'Error at "/module": value must be a string'),
    ("PATCH", "/v1/tasks/a", b'{"module":1}', {"If-Match": '"1"', **MERGE}, 412,
     "task 'a' has revision 2, which If-Match does not name"),
    ("PATCH", "/v1/tasks/a?run=now", b'{"module":"x"}', {"If-Match": '"9"', **MERGE}, 412, None),
    ("PATCH", "/v1/tasks/a?run=now", b'{"module":1}', MERGE, 400,
     'Error at "/module": value must be a string'),
    ("PATCH", "/v1/tasks/none?run=now", b'{"module":"x"}', MERGE, 404, NO_TASK),
    ("POST", "/v1/cluster/transfer", b"{}", {"If-Match": "*", **AS_JSON}, 501,
     "If-Match on a change of something that is no task is not supported by this version of "
     "muster"),
    ("POST", "/v1/cluster/transfer", b"{}", {"Idempotency-Key": "k", **AS_JSON}, 501,
     "Idempotency-Key on a change of something that is no task is not supported by this "
     "version of muster"),
    *[(method, path, body, {"Idempotency-Key": key, **AS_JSON}, 400, said)
      for method, path, body in (("POST", "/v1/tasks", GOOD), ("PUT", "/v1/tasks/a", GOOD),
                                 ("PATCH", "/v1/tasks/a", b'{"enabled":false}'),
                                 ("DELETE", "/v1/tasks/a", b""))
      for key, said in (("", "the header Idempotency-Key is empty"), ("a b", NO_KEY),
                        ("k" * 129, NO_KEY), ("\xe4", NO_KEY))],
    ("GET", "/v1/tasks/a", None, {"Idempotency-Key": "a b"}, 200, None),
]


def judge(answer, status, said):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    if status < 400:
        assert "error" not in answer.json
        return
    assert set(answer.json) <= {"error", "request_id", "code"}
    assert list(answer.json["error"]) == ["message"]
    if said is not None:
        assert answer.json["error"]["message"] == said


@pytest.fixture(scope="module")
def one(shared):
    """A node with the task `a`, enabled, which no refusal changes."""
    assert shared.call("POST", "/v1/tasks", task_body("a", "")).status == 201
    return shared


def asked(node, method, path, body, headers, status, said):
    before = node.index()
    answer = node.call(method, path, body, headers=headers)
    judge(answer, status, said)
    if answer.status == 201:
        assert int(answer.headers["X-Muster-Index"]) == before + 1
        name = quote(answer.json["task"]["name"])
        assert node.call("GET", f"/v1/tasks/{name}").json["task"] == answer.json["task"]
        assert node.call("DELETE", f"/v1/tasks/{name}").status == 202
    else:
        assert node.index() == before
        assert int(answer.headers["X-Muster-Index"]) == before


def posted(node, rows):
    for body, status, said in rows:
        asked(node, "POST", "/v1/tasks", body, AS_JSON, status, said)


def test_texts_that_are_no_json(one):
    posted(one, SYNTAX)


def test_bodies_of_another_shape(one):
    posted(one, SHAPE)


def test_tasks_that_break_a_rule_and_those_at_its_edge(one):
    posted(one, RULES)


def test_each_field_is_of_its_type_and_no_other(one):
    for path, wanted, nullable in FIELDS:
        keys = path.split("/")
        for sample in [*SAMPLES, None]:
            body = task()
            inner = body["task"]
            if "services" in keys and "catalog_services" not in keys:
                inner.setdefault(keys[0], {})["services"] = {"names": ["a"]}
            if "consul_kv" in keys:
                inner.setdefault(keys[0], {})["consul_kv"] = {"path": "a"}
            if "catalog_services" in keys:
                inner[keys[0]]["catalog_services"] = {"regexp": ""}
            for key in keys[:-1]:
                inner = inner.setdefault(key, {})
            inner[keys[-1]] = SAMPLES[sample] if sample else None
            answer = one.call("POST", "/v1/tasks", body)
            if sample == wanted or (sample is None and nullable):
                if answer.status == 201:
                    assert one.call("DELETE", "/v1/tasks/" +
                                    answer.json["task"]["name"]).status == 202
                else:  # a rule's matter, not the schema's
                    judge(answer, 400, None)
                    assert not answer.json["error"]["message"].startswith(SCHEMA) \
                        or wanted == OBJECT, (path, answer)
                continue
            judge(answer, 400, at(path, f"value must be {wanted}" if sample else
                                  "Value is not nullable"))


def test_patches(one):
    for body, status, said in PATCHES:
        for name in ("a", "none"):
            asked(one, "PATCH", f"/v1/tasks/{name}", body, {}, status, said)
    assert one.tasks()["a"]["enabled"] is True


def test_parameters_and_headers(one):
    for row in REQUESTS:
        asked(one, *row)
    assert one.tasks()["a"]["enabled"] is True


def test_a_body_of_unknown_length_is_411(one):
    for version in ("1.0", "1.1"):
        for method, path in (("POST", "/v1/tasks"), ("PATCH", "/v1/tasks/a"),
                             ("PUT", "/v1/tasks/a")):
            sent = head(method, path, "Content-Type: application/json")
            answer = exchange(one.api, sent.replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
            judge(answer, 411, f"a {method} needs a Content-Length, or Transfer-Encoding: "
                               "chunked")
            assert answer.headers["Connection"] == "close"
    assert exchange(one.api, head("DELETE", "/v1/tasks/none")).status == 404
    assert exchange(one.api, head("PUT", "/v1/tasks")).status == 405
