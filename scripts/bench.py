# SPDX-License-Identifier: Apache-2.0
"""The measuring part of scripts/bench."""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")

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
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""

SCRIPTS = {
    "muster write": """
function request()
  n = n + 1
  return wrk.format("POST", "/v1/tasks", {["Content-Type"] = "application/json"},
    string.format('{"task":{"name":"RUN_%d","description":"%s","condition":{},"module":"./m"}}',
      n, value))
end""",
    "etcd v2 write": """
function request()
  n = n + 1
  return wrk.format("PUT", "/v2/keys/RUN_" .. n,
    {["Content-Type"] = "application/x-www-form-urlencoded"},
    "value=" .. value .. value .. value)
end""",
    "etcd v3 write": """
local big = base64(value .. value .. value)
function request()
  n = n + 1
  return wrk.format("POST", "/v3/kv/put", {["Content-Type"] = "application/json"},
    string.format('{"key":"%s","value":"%s"}', base64("RUN_" .. n), big))
end""",
    "muster read": """
function request() return wrk.format("GET", "/v1/tasks/one") end""",
    "etcd v2 read": """
function request() return wrk.format("GET", "/v2/keys/one") end""",
    "etcd v3 read": """
local body = string.format('{"key":"%s","serializable":true}', base64("one"))
function request()
  return wrk.format("POST", "/v3/kv/range", {["Content-Type"] = "application/json"}, body)
end""",
}


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def call(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read()


def wait_for(what, condition):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.05)
    raise SystemExit(f"bench: {what}: waited 30 s in vain")


class System:
    """Three processes and the address of the one that leads."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.leader = None

    def launch(self, arguments, name):
        log = open(self.folder / f"{name}.log", "w")
        self.processes.append(subprocess.Popen(arguments, stdout=log, stderr=log,
                                               stdin=subprocess.DEVNULL))

    def cpu(self):
        total = 0
        for process in self.processes:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss_kib(self):
        return max(int(re.search(r"VmRSS:\s+(\d+)",
                                 pathlib.Path(f"/proc/{p.pid}/status").read_text())[1])
                   for p in self.processes)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


class Muster(System):
    def start(self):
        ports = free_ports(6)
        peers = [f"127.0.0.1:{port}" for port in ports[3:]]
        for n in range(3):
            folder = self.folder / f"n{n + 1}"
            folder.mkdir()
            config = {
                "log_level": "WARN",
                "node": {"name": f"n{n + 1}", "data_dir": str(folder / "data")},
                "cluster": {"expect": 3, "peers": [p for p in peers if p != peers[n]]},
                "listen": {"address": f"127.0.0.1:{ports[n]}", "peer": peers[n]},
            }
            (folder / "config.json").write_text(json.dumps(config))
            self.launch([str(ROOT / "build" / "muster"), "serve", "--config",
                         str(folder / "config.json")], f"n{n + 1}")
        urls = [f"http://127.0.0.1:{port}" for port in ports[:3]]

        def leads():
            for url in urls:
                try:
                    call(f"{url}/v1/health/leader")
                    return url
                except (urllib.error.HTTPError, OSError):
                    pass
            return None
        self.leader = wait_for("no node of muster leads", leads)
        body = b'{"task":{"name":"one","condition":{},"module":"./m"}}'
        call(f"{self.leader}/v1/tasks", "POST", body, {"Content-Type": "application/json"})


class Etcd(System):
    def start(self):
        ports = free_ports(6)
        cluster = ",".join(f"e{n}=http://127.0.0.1:{ports[3 + n]}" for n in range(3))
        for n in range(3):
            client = f"http://127.0.0.1:{ports[n]}"
            peer = f"http://127.0.0.1:{ports[3 + n]}"
            self.launch(["etcd", "--name", f"e{n}", "--data-dir", str(self.folder / f"e{n}"),
                         "--enable-v2", "--listen-client-urls", client,
                         "--advertise-client-urls", client, "--listen-peer-urls", peer,
                         "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
                         "--initial-cluster-state", "new", "--log-level", "error"], f"e{n}")
        urls = [f"http://127.0.0.1:{ports[n]}" for n in range(3)]

        def leads():
            for url in urls:
                stats = json.loads(call(f"{url}/v2/stats/self"))
                if stats.get("state") == "StateLeader":
                    return url
            return None
        self.leader = wait_for("no node of etcd leads", leads)
        call(f"{self.leader}/v2/keys/one", "PUT", b"value=" + b"x" * 180,
             {"Content-Type": "application/x-www-form-urlencoded"})
        call(f"{self.leader}/v3/kv/put", "POST", b'{"key":"b25l","value":"' + b"eHh4" * 60 + b'"}')


def measure(system, script, seconds, connections, run):
    path = system.folder / "wrk.lua"
    path.write_text(COMMON + SCRIPTS[script].replace("RUN", run))
    before = system.cpu()
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path),
                          system.leader], capture_output=True, text=True, check=True).stdout
    spent = system.cpu() - before
    requests, micros, errors, p50, p99 = map(int, re.search(r"RESULT ([\d ]+)", out)[1].split())
    if errors:
        raise SystemExit(f"bench: {script}: {errors} of {requests} requests failed:\n{out}")
    return {"rate": requests / (micros / 1e6), "cpu_us": spent / requests * 1e6,
            "p50_ms": p50 / 1000, "p99_ms": p99 / 1000}


def median_of(samples):
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-bench."))
    systems = {}
    try:
        for name, kind in (("muster", Muster), ("etcd", Etcd)):
            (folder / name).mkdir()
            systems[name] = kind(folder / name)
            systems[name].start()
        rss = {name: system.rss_kib() for name, system in systems.items()}
        samples = {script: [] for script in SCRIPTS}
        for turn in range(options.rounds):
            for script in SCRIPTS:
                system = systems[script.split()[0]]
                samples[script].append(measure(system, script, options.seconds, 64,
                                               f"r{turn}{script[5:7].strip()}"))
    finally:
        for system in systems.values():
            system.stop()
        shutil.rmtree(folder)
    report({script: median_of(sample) for script, sample in samples.items()}, rss, options)


def report(found, rss, options):
    result = {}
    for kind, row in (("write", "writes_64"), ("read", "reads_64")):
        etcd = max(found[f"etcd v2 {kind}"]["rate"], found[f"etcd v3 {kind}"]["rate"])
        ours = found[f"muster {kind}"]["rate"]
        result[row] = {"muster": round(ours), "etcd": round(etcd), "ratio": round(ours / etcd, 2)}
    etcd = min(found["etcd v2 write"]["cpu_us"], found["etcd v3 write"]["cpu_us"])
    ours = found["muster write"]["cpu_us"]
    result["cpu_per_write_64"] = {"muster": round(ours, 1), "etcd": round(etcd, 1),
                                  "ratio": round(ours / etcd, 3)}
    result["rss_idle"] = {"muster": rss["muster"], "etcd": rss["etcd"],
                          "ratio": round(rss["muster"] / rss["etcd"], 3)}
    print(f"64 connections to the leader, {options.seconds} s, median of {options.rounds} rounds")
    print(f"{'':18}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us, all nodes':>20}")
    for script, row in found.items():
        print(f"{script:18}{row['rate']:12.0f}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}"
              f"{row['cpu_us']:20.1f}")
    print()
    print(f"{'':18}{'muster':>12}{'etcd':>12}{'ratio':>9}")
    for name, row in result.items():
        print(f"{name:18}{row['muster']:12}{row['etcd']:12}{row['ratio']:9}")
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
