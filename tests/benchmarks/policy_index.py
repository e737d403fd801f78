"""How long a decision takes, how long a load, and how much memory: the index beside Casbin.

Run ``python -m tests.benchmarks.policy_index``; it prints the tables of
policy/README.md. Each size is measured in a process of its own. The policies
are generated (always the same): roles with rules of all shapes, globs and
denies among them, users and groups that hold them in namespaces, for a time or
for ever, and roles that inherit.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from authsvc import policy
from authsvc.authz.policy import PolicyAuthorizer
from authsvc.interfaces import Attributes, Decision, Effect, UserInfo
from authsvc.policy.enforcer import CasbinEvaluator

RESOURCES = (
    *("pods", "services", "configmaps", "secrets", "deployments.apps", "statefulsets.apps"),
    *("jobs.batch", "ingresses.networking.k8s.io", "pods/log", "pods/exec", "nodes", "*.apps"),
    *("deployments.apps/scale", "*/scale", "persistentvolumeclaims", "events"),
)
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_SHAPES = random.Random(0)  # noqa: S311  a seed makes it the same each time
WHAT = ["|".join(_SHAPES.sample(RESOURCES, _SHAPES.randint(1, 3))) for _ in range(60)]
MAY = ["|".join(_SHAPES.sample(VERBS, _SHAPES.randint(1, 4))) for _ in range(20)]
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
CASBIN_UP_TO = 10_000


def main() -> None:
    """Print both tables, or measure one size where it is given."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    print(
        "| rows | index, 100 users | p99 | 5,000 users | p99 "
        "| Casbin's enforcer | load, CPU | memory |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.policy_index", str(size)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        casbin = f"{row['casbin']:,.0f} µs" if row["casbin"] else "—"
        print(
            f"| {size:,} | {row['few']:.1f} µs | {row['few_p99']:.1f} µs "
            f"| {row['many']:.1f} µs | {row['many_p99']:.1f} µs "
            f"| {casbin} | {row['load']:.2f} s | {row['memory']:.0f} MB |",
            flush=True,
        )
    print("\n| worst case | median | p99 |\n| --- | ---: | ---: |")
    for name, (text, request) in worst_cases().items():
        decide = authorizer(policy.compile_rows(policy.read_text({"policy.csv": text})))
        times = timed(lambda _, decide=decide, request=request: decide(request), 2_000)  # type: ignore[misc]  # mypy has no type for a lambda's default
        print(f"| {name} | {statistics.median(times):.1f} µs | {percentile(times):.1f} µs |")


def measure(size: int) -> dict[str, float]:
    """Load a policy of that many rows and ask it; times in µs and (CPU) s, memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.csv"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(generate(size))
        before = peak_memory()
        start = time.process_time()
        snapshot = policy.load(Path(folder))
        load = time.process_time() - start
        memory = peak_memory() - before
    requests = [ask(size, random.Random(number)) for number in range(5_000)]  # noqa: S311  a seed makes it the same each time
    decide = authorizer(snapshot)
    effects = {decide(request).effect for request in requests}
    if effects != set(Effect):
        raise SystemExit(f"the requests do not exercise the policy: {effects}")
    # Few users are those of a busy minute; of many, each is found in cold memory.
    few = timed(lambda number: decide(requests[number % 100]), 50_000)
    many = timed(lambda number: decide(requests[number % len(requests)]), 50_000)
    return {
        "few": statistics.median(few),
        "few_p99": percentile(few),
        "many": statistics.median(many),
        "many_p99": percentile(many),
        "load": load,
        "memory": memory,
        "casbin": casbin_median(snapshot, requests) if size <= CASBIN_UP_TO else 0.0,
    }


def casbin_median(snapshot: policy.PolicySnapshot, requests: list[Attributes]) -> float:
    """Time Casbin's enforcer on the same rows, and see that it agrees."""
    enforcer = CasbinEvaluator(snapshot.rows, snapshot.model)
    now = time.time()
    for request in requests[:20]:
        if (
            enforcer.decide(request, now).effect
            is not snapshot.evaluator.decide(request, now).effect
        ):
            raise SystemExit(f"the evaluators disagree on {request}")
    return statistics.median(timed(lambda number: enforcer.decide(requests[number], now), 40))


class _Holder:
    def __init__(self, snapshot: policy.PolicySnapshot) -> None:
        self.current = snapshot


def authorizer(snapshot: policy.PolicySnapshot) -> Callable[[Attributes], Decision]:
    """Return what the service calls."""
    return PolicyAuthorizer(_Holder(snapshot)).authorize


def timed(ask_number: Callable[[int], object], count: int) -> list[float]:
    """Return how long each of so many calls took, in µs."""
    clock = time.perf_counter_ns
    times = []
    for number in range(count):
        start = clock()
        ask_number(number)
        times.append((clock() - start) / 1000)
    return times


def percentile(times: list[float]) -> float:
    """Return the 99th."""
    return statistics.quantiles(times, n=100)[98]


def peak_memory() -> float:
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def generate(size: int) -> Iterator[str]:
    """Yield the lines of a policy: a tenth are roles' rules, a tenth users', the rest grants."""
    rng = random.Random(size)  # noqa: S311  a seed makes it the same each time
    roles = role_count(size)
    yield "p, user:*, *, secrets, break-glass*, *, deny\n"
    for number in range(roles):
        yield rule(f"role:r{number}", rng, size)
    for _ in range(size // 10 - roles):
        yield rule(f"role:r{rng.randrange(roles)}", rng, size)
    for number in range(size // 10):
        yield rule(f"user:u{number}", rng, size)
    inherits = roles // 5
    for number in range(inherits):
        yield f"g, role:r{number}, role:r{rng.randrange(inherits, roles)}, *\n"
    for number in range(size - size // 10 * 2 - inherits - 1):
        holder = f"user:u{number}" if rng.random() < 0.8 else f"group:g{rng.randrange(size // 5)}"
        where = rng.choice(("*", f"ns-{rng.randrange(size)}", f"ns-{rng.randrange(size)}*"))
        until = ", , 2099-01-01T00:00:00Z" if rng.random() < 0.05 else ""
        yield f"g, {holder}, role:r{rng.randrange(roles)}, {where}{until}\n"


def role_count(size: int) -> int:
    """Return how many roles a policy of that many rows has: ten rules each, on average."""
    return max(size // 100, 5)


def rule(who: str, rng: random.Random, size: int) -> str:
    """Return a rule of a random shape."""
    where = rng.choice(
        ("*", "*", f"ns-{rng.randrange(size)}", f"ns-{rng.randrange(size)}*", "?*-prod")
    )
    what, may = rng.choice(WHAT), rng.choice(MAY)
    which = rng.choice(("*", "*", "*", f"app-{rng.randrange(size)}", f"app-{rng.randrange(100)}-*"))
    effect = "deny" if rng.random() < 0.05 else "allow"
    return f"p, {who}, {where}, {what}, {which}, {may}, {effect}\n"


def ask(size: int, rng: random.Random) -> Attributes:
    """Return a request of a user with five groups."""
    groups = tuple(f"g{rng.randrange(max(size // 5, 1))}" for _ in range(5))
    user = UserInfo(f"u{rng.randrange(size)}", "", groups)
    what = rng.choice([name for name in RESOURCES if "*" not in name])
    main, _, subresource = what.partition("/")
    kind, _, group = main.partition(".")
    namespace = rng.choice(("", f"ns-{rng.randrange(size)}"))
    name = rng.choice(("", f"app-{rng.randrange(size)}", "break-glass-1"))
    return Attributes(
        user, rng.choice(VERBS), True, namespace, group, "v1", kind, subresource, name
    )


def worst_cases() -> dict[str, tuple[str, Attributes]]:
    """Return policies that are hard on purpose, each with the request that shows it."""
    request = Attributes(
        UserInfo("u", "", ("g",)), "get", True, "ns", "", "v1", "pods", "", "app-9"
    )
    many = UserInfo("u", "", tuple(f"g{number}" for number in range(200)))
    bind = "g, group:g, role:r, *\n"
    return {
        "a user in 200 groups, each with a role of its own": (
            "".join(
                f"p, role:r{n}, ns-*, pods, *, get, allow\ng, group:g{n}, role:r{n}, *\n"
                for n in range(200)
            ),
            request._replace(user=many),
        ),
        "10,000 rows on one role, names": (
            "".join(f"p, role:r, *, pods, x-{n}, get, allow\n" for n in range(10_000)) + bind,
            request,
        ),
        "10,000 rows on one role, globs `x-N-*`": (
            "".join(f"p, role:r, *, pods, x-{n}-*, get, allow\n" for n in range(10_000)) + bind,
            request._replace(name="x-9999"),
        ),
        "10,000 rows on one role, globs `*N` in where": (
            "".join(f"p, role:r, *-{n}, pods, *, get, allow\n" for n in range(10_000)) + bind,
            request._replace(namespace="ns-10001"),
        ),
        "10,000 rows on one role, globs `*N*`": (
            "".join(f"p, role:r, *, pods, *-{n}-*, get, allow\n" for n in range(10_000)) + bind,
            request._replace(name="app-10001-x"),
        ),
        "10,000 rows on one role, globs `app-?N-[a-z]*`": (
            "".join(f"p, role:r, *, pods, app-?{n}-[a-z]*, get, allow\n" for n in range(10_000))
            + bind,
            request._replace(name="app-x9999-0"),
        ),
        "10,000 deny rows on one role, globs `x-N-*`": (
            "".join(f"p, role:r, *, pods, x-{n}-*, get, deny\n" for n in range(10_000)) + bind,
            request,
        ),
        "roles 1,000 deep": (
            "".join(f"g, role:r{n}, role:r{n + 1}, *\n" for n in range(1_000))
            + "p, role:r1000, *, pods, *, get, allow\ng, group:g, role:r0, *\n",
            request,
        ),
        "10,000 actions on one role": (
            "".join(f"p, role:r, *, pods|x{n}, y, get, allow\n" for n in range(10_000)) + bind,
            request,
        ),
    }


if __name__ == "__main__":
    main()
