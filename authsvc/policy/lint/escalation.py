"""Who can come to more than their rows say: by impersonation, secrets, shells, roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from authsvc.policy.atoms import Cover, row_atoms
from authsvc.policy.cells import ANY, Paths, Resource, show_subject
from authsvc.policy.lint.finding import Finding, Inspected, Kind, note
from authsvc.policy.resources import Known, covers, known
from authsvc.policy.rows import Action

_NAMED: Final = 3
"""Subjects named in a note."""


class Power(NamedTuple):
    """Something that leads to more: any of the verbs on any of the resources."""

    words: str
    verbs: frozenset[str]
    resources: tuple[Known, ...]


def _power(words: str, verbs: str, *names: str) -> Power:
    return Power(words, frozenset(verbs.split()), tuple(known(name, True, ()) for name in names))


_RBAC: Final = "rbac.authorization.k8s.io"
_HOOKS: Final = "admissionregistration.k8s.io"
POWERS: Final = (
    _power(
        *("act as others", "impersonate", "users", "groups", "serviceaccounts"),
        *("users.authentication.k8s.io", "groups.authentication.k8s.io"),
        *("serviceaccounts.authentication.k8s.io", "userextras.authentication.k8s.io/*"),
    ),
    _power("bind any role of RBAC", "bind", f"roles.{_RBAC}", f"clusterroles.{_RBAC}"),
    _power("write any role of RBAC", "escalate", f"roles.{_RBAC}", f"clusterroles.{_RBAC}"),
    _power("read secrets", "get list watch", "secrets"),
    _power("make tokens of service accounts", "create", "serviceaccounts/token"),
    _power("run commands in pods", "get create", "pods/exec", "pods/attach"),
    _power("change running pods", "update patch", "pods/ephemeralcontainers"),
    _power("create pods, as any service account there", "create", "pods"),
    _power(
        *("create pods by way of workloads", "create", "deployments.apps", "daemonsets.apps"),
        *("statefulsets.apps", "replicasets.apps", "jobs.batch", "cronjobs.batch"),
        "replicationcontrollers",
    ),
    _power("reach kubelets", "get create", "nodes/proxy"),
    _power("approve certificates", "approve sign", "signers.certificates.k8s.io"),
    _power(
        *("change requests by webhooks", "create update patch"),
        *(f"mutatingwebhookconfigurations.{_HOOKS}", f"mutatingadmissionpolicies.{_HOOKS}"),
    ),
)

EVERYTHING: Final = "do everything"


def escalations(inspected: Inspected) -> Iterator[Finding]:
    """Find rules that give a power to somebody, with those who have it."""
    rules = inspected.rows.rules
    powers = [_powers(action) for action in rules.actions]
    strong = {row for row in range(len(rules)) if powers[rules.action[row]] and not rules.deny[row]}
    said: dict[int, list[str]] = {}
    for subject in inspected.holdings.subjects:
        for row in _rows_of(inspected, subject, strong):
            said.setdefault(row, []).append(show_subject(subject))
    for row, subjects in said.items():
        words = ", ".join(powers[rules.action[row]])
        yield note(rules[row], Kind.ESCALATION, f"lets {_names(subjects)} {words}")


def _rows_of(inspected: Inspected, subject: str, strong: set[int]) -> list[int]:
    """Return those of the rows that a subject comes to, and is not denied altogether."""
    holdings = inspected.holdings
    rules = inspected.rows.rules
    ways = holdings.ways(subject, inspected.now)
    held = dict.fromkeys(way.holder for way in ways)
    reached = [row for holder in held for row in holdings.rules.get(holder, ())]
    found = [row for row in dict.fromkeys(reached) if row in strong]
    if not found or not any(rules.deny[row] for row in reached):
        return found
    denies = Cover(
        atom
        for way in ways
        for row in holdings.rules.get(way.holder, ())
        if rules.deny[row]
        for atom in row_atoms(rules, row, way)
    )
    return [
        row
        for row in found
        if not all(denies.covers(atom, by_deny=True) for atom in row_atoms(rules, row))
    ]


def _powers(action: Action) -> tuple[str, ...]:
    if isinstance(action.target, Paths):
        return ()
    targets = action.target
    if action.verbs is None and Resource(ANY, ANY, ANY) in targets:
        return (EVERYTHING,)
    return tuple(
        power.words
        for power in POWERS
        if (action.verbs is None or power.verbs & action.verbs)
        and any(covers(target, one) for target in targets for one in power.resources)
    )


def _names(subjects: list[str]) -> str:
    if len(subjects) <= _NAMED + 1:
        return ", ".join(subjects)
    return f"{', '.join(subjects[:_NAMED])} and {len(subjects) - _NAMED} more"
