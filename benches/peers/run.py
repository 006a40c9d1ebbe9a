#!/usr/bin/env python3
"""Durable writes, point reads and index scans: FaultMaven beside PostgreSQL, SQLite and Redis.

Every system holds the same rows: 600 bytes, a key of 16 bytes in time order, one secondary index,
100,000 rows before the first figure. They run one after another on the same disk, each driven by
the quickest client it has (pgbench, redis-benchmark, a C program, our own process), with its own
defaults apart from what durability needs. What is missing is fetched from Debian into a cache
without installing it, or skipped with a word.

    benches/peers/run.py [--seconds 5] [--clients 1,8,64] [--rows 100000] [--open-rows 1000000]
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, "target", "bench-peers")
OWNERS = 1000
PAYLOAD = "x" * 600
WRITE, READ, SCAN = "durable write", "point read", "20 newest by index"
# Clients of the reads: more than there are cores tells nothing.
READERS_MAX = 8

figures, words = [], []


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--open-rows", type=int, default=1_000_000)
    parser.add_argument("--directory", default="/var/tmp", help="on the disk to be measured")
    parser.add_argument("--program", help="our bench, when it is built already")
    parser.add_argument("--only", default="ours,postgres,sqlite,redis")
    asked = parser.parse_args()
    asked.counts = [int(count) for count in asked.clients.split(",")]
    asked.readers = [count for count in asked.counts if count <= READERS_MAX]
    for name in asked.only.split(","):
        system = {"ours": ours, "postgres": postgres, "sqlite": sqlite, "redis": redis}[name]
        home = tempfile.mkdtemp(prefix="faultmaven-peers-", dir=asked.directory)
        try:
            system(asked, home)
        except (OSError, subprocess.CalledProcessError, Missing) as error:
            detail = getattr(error, "stderr", None) or error
            words.append(f"{name}: skipped: {str(detail).strip()}")
        finally:
            shutil.rmtree(home, ignore_errors=True)
    table(asked)


class Missing(Exception):
    """Something that a system needs and this machine does not have."""


def run(*command, **options):
    options.setdefault("check", True)
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, **options
    )


def told(system, what, clients, per_second, p50_us, p99_us):
    figures.append((system, what, clients, per_second, p50_us, p99_us))
    print(f"  {system}: {what}, {clients} clients: {per_second:,.0f}/s", file=sys.stderr)


def unpacked(name, packages, program):
    """A program from Debian packages, unpacked into the cache and not installed."""
    home = os.path.join(CACHE, name)
    if not glob.glob(os.path.join(home, program)):
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Missing(f"no {os.path.basename(program)} here, and no apt-get to fetch it")
        print(f"  fetching {' '.join(packages)} from Debian", file=sys.stderr)
        os.makedirs(home, exist_ok=True)
        run("apt-get", "download", *packages, cwd=home)
        for package in glob.glob(os.path.join(home, "*.deb")):
            run("dpkg", "-x", package, home)
    return glob.glob(os.path.join(home, program))[0], home


def libraries(home):
    found = glob.glob(os.path.join(home, "usr", "lib", "*-linux-gnu*"))
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(found)}


# FaultMaven


def ours(asked, home):
    program = asked.program or build()
    for secret in ([], ["--encrypted"]):
        common = ["--directory", home, *secret]
        serving = run(program, "--seconds", asked.seconds, "--clients", asked.clients,
                      "--rows", asked.rows, *common)
        opening = run(program, "open", "--rows", asked.open_rows, *common)
        for line in (serving.stdout + opening.stdout).splitlines():
            f = json.loads(line)
            told(f["system"], f["what"], f["clients"], f["per_second"], f["p50_us"], f["p99_us"])


def build():
    built = run(
        "cargo", "bench", "--locked", "--bench", "peers", "--no-run", "--message-format=json",
        cwd=ROOT,
    )
    programs = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return [p["executable"] for p in programs
            if p.get("executable") and p["target"]["name"] == "peers"][-1]


# PostgreSQL


def postgres(asked, home):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))
    environment = dict(os.environ)
    if not found:
        packages = ["postgresql-15", "postgresql-client-15", "libpq5"]
        program, unpacked_home = unpacked(
            "postgres", packages, "usr/lib/postgresql/*/bin/pgbench"
        )
        found, environment = [program], libraries(unpacked_home)
    tools = os.path.dirname(found[-1])
    # The server refuses to run as root.
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    data = os.path.join(home, "data")
    if user:
        shutil.chown(home, "nobody")

    def tool(name, *arguments, **options):
        command = [*user, os.path.join(tools, name), *arguments]
        return run(*command, cwd=home, env=environment, **options)

    tool("initdb", "-D", data, "-A", "trust", "-U", "bench")
    # Its output goes to a file: the server would hold a pipe open.
    log = os.path.join(home, "log")
    tool("pg_ctl", "-D", data, "-l", log, "-w", "-o", f"-k {home} -h ''", "start")
    try:
        at = ["-h", home, "-U", "bench"]
        key = "(lpad(to_hex({0}::bigint), 16, '0') || lpad(to_hex({0}::bigint * 7919), 16, '0'))::uuid"
        one = key.format("n")
        tool("psql", *at, "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", f"""
            CREATE TABLE records (id uuid PRIMARY KEY, owner int NOT NULL, payload text NOT NULL);
            CREATE INDEX by_owner ON records (owner, id);
            INSERT INTO records SELECT {one}, n * 7919 % {OWNERS}, repeat('x', 600)
                FROM generate_series(0::bigint, {asked.rows - 1}) n;
            """)
        tool("psql", *at, "-q", "-d", "postgres", "-c", "VACUUM ANALYZE records")
        version = tool("psql", *at, "-d", "postgres", "-Atc", "SHOW server_version").stdout.split()[0]
        system = f"PostgreSQL {version}"
        rounds = [
            # Keys rise with time over all clients, and no two are the same.
            (WRITE, asked.counts, "\\set n :next * 64 + :client_id + :start\n\\set next :next + 1\n"
             f"INSERT INTO records VALUES ({key.format(':n')}, :n::bigint % {OWNERS}, :payload);\n"),
            (READ, asked.readers, f"\\set n random(0, {asked.rows - 1})\n"
             f"SELECT owner, payload FROM records WHERE id = {key.format(':n')};\n"),
            (SCAN, asked.readers, f"\\set o random(0, {OWNERS - 1})\n"
             "SELECT id, owner, payload FROM records WHERE owner = :o ORDER BY id DESC LIMIT 20;\n"),
        ]
        start = 1 << 24
        for what, counts, script in rounds:
            path = os.path.join(home, "script.sql")
            with open(path, "w", encoding="ascii") as file:
                file.write(script)
            os.chmod(path, 0o644)
            for clients in counts:
                tool("psql", *at, "-q", "-d", "postgres", "-c", "CHECKPOINT")
                for old in glob.glob(os.path.join(home, "took*")):
                    os.remove(old)
                done = tool(
                    "pgbench", *at, "-n", "-M", "prepared", "-f", path, "-c", clients, "-j",
                    min(clients, os.cpu_count()), "-T", max(1, round(asked.seconds)),
                    "-D", f"payload={PAYLOAD}", "-D", "next=0", "-D", f"start={start}",
                    "-l", "--log-prefix", os.path.join(home, "took"), "postgres",
                ).stdout
                start += 1 << 26
                rate = next(l for l in done.splitlines() if l.startswith("tps = "))
                took = []
                for path_of_log in glob.glob(os.path.join(home, "took*")):
                    with open(path_of_log, encoding="ascii") as lines:
                        took += [int(line.split()[2]) for line in lines]
                took.sort()
                at_part = lambda part: took[int((len(took) - 1) * part)]
                told(system, what, clients, float(rate.split()[2]), at_part(0.5), at_part(0.99))
    finally:
        tool("pg_ctl", "-D", data, "-m", "immediate", "stop", check=False)


# SQLite


def sqlite(asked, home):
    source = os.path.join(ROOT, "benches", "peers", "sqlite.c")
    program = os.path.join(home, "sqlite")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Missing("no C compiler for its client")
    flags = []
    if not os.path.exists("/usr/include/sqlite3.h"):
        header, _ = unpacked(
            "sqlite", ["libsqlite3-dev", "libsqlite3-0"], "usr/include/sqlite3.h"
        )
        flags.append(f"-I{os.path.dirname(header)}")
    run(compiler, "-O2", *flags, source, "-o", program, "-lsqlite3", "-lpthread")
    version = run("python3", "-c", "import sqlite3; print(sqlite3.sqlite_version)").stdout.strip()
    system = f"SQLite {version} WAL/FULL"
    path = os.path.join(home, "bench.db")
    run(program, path, 0, asked.rows, "load", 1)
    rounds = [(WRITE, "write", asked.counts), (READ, "read", asked.readers),
              (SCAN, "scan", asked.readers)]
    for what, word, counts in rounds:
        for clients in counts:
            f = json.loads(run(program, path, asked.seconds, asked.rows, word, clients).stdout)
            told(system, what, clients, f["per_second"], f["p50_us"], f["p99_us"])


# Redis


def redis(asked, home):
    server, environment = shutil.which("redis-server"), dict(os.environ)
    benchmark, client = shutil.which("redis-benchmark"), shutil.which("redis-cli")
    if not (server and benchmark and client):
        packages = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1",
                    "libhiredis0.14", "liblua5.1-0", "lua-cjson", "lua-bitop"]
        server, unpacked_home = unpacked("redis", packages, "usr/bin/redis-server")
        tools = os.path.dirname(server)
        benchmark, client = (os.path.join(tools, n) for n in ("redis-benchmark", "redis-cli"))
        environment = libraries(unpacked_home)
    version = run(server, "--version", env=environment).stdout.split("v=")[1].split()[0]
    for policy in ("always", "everysec"):
        directory = os.path.join(home, policy)
        os.mkdir(directory)
        socket = os.path.join(directory, "socket")
        child = subprocess.Popen(
            [server, "--port", "0", "--unixsocket", socket, "--dir", directory, "--save", "",
             "--appendonly", "yes", "--appendfsync", policy],
            env=environment, stdout=subprocess.DEVNULL,
        )
        try:
            while not os.path.exists(socket):
                time.sleep(0.05)
            one_policy(asked, f"Redis {version} {policy}", benchmark, client, socket, environment)
        finally:
            child.kill()
            child.wait()


def resp(*words_of_command):
    words_of_command = [str(word) for word in words_of_command]
    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words_of_command)
    return f"*{len(words_of_command)}\r\n{parts}"


def one_policy(asked, system, benchmark, client, socket, environment):
    load = []
    for n in range(asked.rows):
        # redis-benchmark writes numbers with twelve digits.
        load.append(resp("SET", f"rec:{n:012}", PAYLOAD))
        load.append(resp("ZADD", f"owner:{n % OWNERS:012}", 0, f"rec:{n:012}"))
    run(client, "-s", socket, "--pipe", env=environment, input="".join(load))
    scan = ("local ids = redis.call('ZREVRANGE', KEYS[1], 0, 19) "
            "return redis.call('MGET', unpack(ids))")
    indexed = ("redis.call('SET', KEYS[1], ARGV[1]) "
               f"local owner = tonumber(string.sub(KEYS[1], 5)) % {OWNERS} "
               "return redis.call('ZADD', string.format('owner:%012d', owner), 0, KEYS[1])")
    sha = lambda script: run(client, "-s", socket, "SCRIPT", "LOAD", script,
                             env=environment).stdout.strip()
    number = "__rand_int__"
    rounds = [
        (f"{WRITE} (SET, no index)", asked.counts, 10**12 - 1,
         ["SET", f"new:{number}", PAYLOAD]),
        (WRITE, asked.counts, 10**12 - 1,
         ["EVALSHA", sha(indexed), "1", f"new:{number}", PAYLOAD]),
    ]
    if system.endswith("always"):
        rounds += [
            (READ, asked.readers, asked.rows, ["GET", f"rec:{number}"]),
            (SCAN, asked.readers, OWNERS, ["EVALSHA", sha(scan), "1", f"owner:{number}"]),
        ]
    for what, counts, keys, command in rounds:
        for clients in counts:
            def measure(requests):
                done = run(benchmark, "-s", socket, "-c", clients, "-n", requests, "-r", keys,
                           "--csv", *command, env=environment).stdout
                head, *rest = [line for line in done.splitlines() if line.startswith('"')]
                values = dict(zip(head.split('","'), rest[-1].strip('"').split('","')))
                names = {name.strip('"'): value for name, value in values.items()}
                return (float(names["rps"]), float(names["p50_latency_ms"]),
                        float(names["p99_latency_ms"]))
            # It counts requests, not seconds: a short round says how many fit.
            rate = measure(2000)[0]
            rate, p50, p99 = measure(max(2000, int(rate * asked.seconds)))
            told(system, what, clients, rate, p50 * 1000, p99 * 1000)


def table(asked):
    print(f"\n{asked.rows:,} rows of 600 bytes with one index entry; {asked.seconds:g} s each; "
          f"{os.cpu_count()} cores shared by client and server; {os.uname().sysname} "
          f"{os.uname().release}\n")
    print("| what | clients | system | per second | p50 | p99 | FaultMaven is |")
    print("|---|---:|---|---:|---:|---:|---:|")
    own = {(what, clients): rate for system, what, clients, rate, _, _ in figures
           if system == "FaultMaven"}
    order = {WRITE: 0, f"{WRITE} (SET, no index)": 1, READ: 2, SCAN: 3}
    rows = sorted(figures, key=lambda f: (order.get(f[1], 4), f[1] if f[1] not in order else "",
                                          f[2]))
    for system, what, clients, rate, p50, p99 in rows:
        base = own.get((what.replace(" (SET, no index)", ""), clients))
        ratio = f"{base / rate:.1f}×" if base and system != "FaultMaven" else ""
        speed = f"{rate:,.0f}" if what in order else ""
        print(f"| {what} | {clients} | {system} | {speed} | {time_text(p50)} | {time_text(p99)} "
              f"| {ratio} |")
    for word in words:
        print(f"\n{word}")


def time_text(us):
    return f"{us:.1f} µs" if us < 100 else f"{us:.0f} µs" if us < 1000 else f"{us / 1000:.1f} ms"


if __name__ == "__main__":
    main()
