"""What a role given somewhere, for a time, says of one request."""

from __future__ import annotations

from authsvc.interfaces import Attributes, Effect
from tests.contract.asking import NONE, A, ask, p

ROLE = p("role:r", "*", "pods")
GRANTS: list[tuple[str, str, Attributes, Effect]] = [
    ("in its namespace", "g, user:alice, role:r, ns\n", ask(ns="ns"), A),
    ("in another", "g, user:alice, role:r, ns\n", ask(ns="ns2"), NONE),
    ("for all namespaces", "g, user:alice, role:r, ns\n", ask("list"), NONE),
    ("everywhere, for all namespaces", "g, user:alice, role:r, *\n", ask("list"), A),
    ("in any namespace", "g, user:alice, role:r, ?*\n", ask("list"), NONE),
    ("by a glob", "g, user:alice, role:r, a|n*\n", ask(ns="ns"), A),
    ("to everybody", "g, user:*, role:r, *\n", ask(user="bob"), A),
    ("to one of two", "g, group:a|user:alice, role:r, *\n", ask(), A),
    ("to a user named as the role", "g, user:alice, role:r, *\n", ask(user="role:r"), NONE),
    (
        "through a role, both domains hold",
        "g, user:alice, role:q, prod*\ng, role:q, role:r, *-eu\n",
        ask(ns="prod-eu"),
        A,
    ),
    (
        "through a role, one domain does not",
        "g, user:alice, role:q, prod*\ng, role:q, role:r, *-us\n",
        ask(ns="prod-eu"),
        NONE,
    ),
    ("before", "g, user:alice, role:r, *, 2026-11-23T21:00:01Z\n", ask(), NONE),
    ("from now", "g, user:alice, role:r, *, 2026-11-23T21:00:00Z\n", ask(), A),
    ("until now", "g, user:alice, role:r, *, , 2026-11-23T21:00:00Z\n", ask(), NONE),
    ("until later", "g, user:alice, role:r, *, , 2026-11-23T23:00:01+02:00\n", ask(), A),
    (
        "an inherited role that ended",
        "g, user:alice, role:q, *\ng, role:q, role:r, *, , 2026-11-23T20:00:00Z\n",
        ask(),
        NONE,
    ),
    (
        "a second row that has not ended",
        "g, user:alice, role:r, *, , 2026-11-23T20:00:00Z\ng, user:alice, role:r, *\n",
        ask(),
        A,
    ),
    (
        "30 deep",
        "".join(f"g, role:{n}, role:{n + 1}, *\n" for n in range(30))
        + "g, role:30, role:r, *\ng, user:alice, role:0, *\n",
        ask(),
        A,
    ),
]
