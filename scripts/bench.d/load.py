# SPDX-License-Identifier: Apache-2.0
"""What the systems are loaded with: wrk, one thread, with a few lines of Lua."""
import re
import subprocess

from lib.fill import Failed
from systems import processor_seconds

COMMON = """
local n = 0
local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local v = a * 65536 + (b or 0) * 256 + (c or 0)
    for k = 3, 0, -1 do
      local d = math.floor(v / 64 ^ k) % 64
      out[#out + 1] = (k == 1 and not b or k == 0 and not c) and "=" or digits:sub(d + 1, d + 1)
    end
  end
  return table.concat(out)
end
local value = string.rep("x", 60)
local as_json = {["Content-Type"] = "application/json"}
local as_form = {["Content-Type"] = "application/x-www-form-urlencoded"}
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""

# RUN is another word in every measurement, so that each write makes something new.
SCRIPTS = {
    "muster write": """
function request()
  n = n + 1
  return wrk.format("POST", "/v1/tasks", as_json,
    string.format('{"task":{"name":"RUN_%d","description":"%s","condition":{},"module":"./m"}}',
      n, value))
end""",
    "etcd v2 write": """
local form = "value=" .. value .. value .. value
function request()
  n = n + 1
  return wrk.format("PUT", "/v2/keys/RUN_" .. n, as_form, form)
end""",
    "etcd v3 write": """
local big = base64(value .. value .. value)
function request()
  n = n + 1
  return wrk.format("POST", "/v3/kv/put", as_json,
    string.format('{"key":"%s","value":"%s"}', base64("RUN_" .. n), big))
end""",
    "muster read": """
local text
function request()
  text = text or wrk.format("GET", "/v1/tasks/one")
  return text
end""",
    "etcd v2 read": """
local text
function request()
  text = text or wrk.format("GET", "/v2/keys/one")
  return text
end""",
    "etcd v3 read": """
local text
function request()
  text = text or wrk.format("POST", "/v3/kv/range", as_json,
    string.format('{"key":"%s","serializable":true}', base64("one")))
  return text
end""",
    # of COUNT tasks one after another, all on, all off: their number stays
    "muster change": """
function request()
  local at, off = n % COUNT + 1, math.floor(n / COUNT) % 2 == 0
  n = n + 1
  return wrk.format("PATCH", "/v1/tasks/RUN_" .. at, as_json,
    off and '{"enabled":false}' or '{"enabled":true}')
end""",
}


def measure(system, script, seconds, connections, folder, run="x", count=0):
    """Requests a second, p50 and p99 in us, CPU of all nodes a request in us."""
    path = folder / "wrk.lua"
    path.write_text(COMMON + SCRIPTS[script].replace("RUN", run)
                    .replace("COUNT", str(count)))
    url = system.url()
    before = processor_seconds(system.pids())
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path),
                          url], capture_output=True, text=True, check=True).stdout
    spent = processor_seconds(system.pids()) - before
    requests, micros, errors, p50, p99 = map(int, re.search(r"RESULT ([\d ]+)", out)[1].split())
    if errors:
        raise Failed(f"{script}: {errors} of {requests} requests failed:\n{out}")
    return {"rate": requests / (micros / 1e6), "cpu_us": spent / requests * 1e6,
            "p50_us": p50, "p99_us": p99, "requests": requests}
