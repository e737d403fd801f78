"""Policy unit tests: who can and who cannot, in YAML, with the rows that should say so.

::

    given:                                  # names for who asks, as often as needed
      alice: {user: alice, groups: [team-a]}
      robot: {serviceAccount: ci/deployer}
    rows: |                                 # rows that are there for the tests only
      g, user:ed, role:edit, team-a
    tests:
    - name: teams work in their own namespaces
      as: alice                             # one of given, or {user, groups, uid, extra}
      at: 2026-11-23T21:00:00Z              # default: now
      can:
      - create deployments.apps -n team-a
      - {ask: get pods/log -n team-a, by: teams.csv:3}
      cannot:
      - get pods -n team-b
      - {ask: get secrets -n prod, denied: true, by: teams.csv}

A question is in kubectl's words (``asking``). ``by`` is a row (``FILE:LINE``), a
file, or a role or subject on the way; ``denied`` true asks for a deny, false for
no opinion.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from authsvc.decoding.structs import Place, Wire, decode, readable
from authsvc.decoding.yaml_text import parse_yaml
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.interfaces import Attributes, Decision, Effect, UserInfo
from authsvc.policy import asking, cells
from authsvc.policy.escapes import CellError
from authsvc.policy.evaluation import Evaluator, Match
from authsvc.policy.folder import Source, read_unchanged
from authsvc.policy.reader import read_text
from authsvc.policy.rows import Rows
from authsvc.policy.snapshot import PolicySnapshot, compile_rows


class _User(Wire, frozen=True):
    user: str = ""
    service_account: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class _Question(Wire, frozen=True):
    ask: str
    by: str = ""
    at: str = ""
    denied: bool | None = None


class _Test(Wire, frozen=True):
    user: str | _User = msgspec.field(name="as")
    name: str = ""
    at: str = ""
    can: tuple[str | _Question, ...] = ()
    cannot: tuple[str | _Question, ...] = ()


class _Suite(Wire, frozen=True):
    tests: tuple[_Test, ...]
    given: Mapping[str, _User] = msgspec.field(default_factory=dict)
    rows: str = ""


class Case(NamedTuple):
    """One question with the answer that is expected; ``at`` None is now."""

    test: str
    question: str
    request: Attributes
    expected: tuple[Effect, ...]
    by: str
    at: float | None


class Suite(NamedTuple):
    """The cases of a file, and rows that it brings."""

    file: str
    rows: str
    cases: tuple[Case, ...]


class Result(NamedTuple):
    """How a case went: ``failure`` says what is wrong, and is empty where nothing is."""

    case: Case
    decision: Decision
    failure: str
    rows: frozenset[str]


def read_suite(text: str, file: str) -> Suite:
    """Read a file of tests.

    Raises:
        InvalidConfigurationError: every fault, with the field's path.
    """
    at = Place(Path(file).parent)
    suite = decode(_Suite, parse_yaml(text, file), at)
    cases = tuple(_cases(suite, at)) if suite else ()
    if not cases and not at.errors:
        at.error("asks nothing: no can, no cannot")
    if suite is None or at.errors:
        raise InvalidConfigurationError(
            ConfigError(f"{file}: {error.path}" if error.path else file, error.message)
            for error in at.errors
        )
    return Suite(file, suite.rows, cases)


def with_rows(policy: PolicySnapshot, folder: Path, suite: Suite) -> PolicySnapshot:
    """Return the policy of a folder with the rows that a file of tests brings.

    Raises:
        InvalidPolicyError: all faults of these rows.
    """
    texts = dict(read_unchanged(folder, _texts))
    return compile_rows(read_text({**texts, f"rows of {suite.file}": suite.rows}), policy.model)


def run(suite: Suite, evaluator: Evaluator, now: float) -> Iterator[Result]:
    """Ask each question."""
    for case in suite.cases:
        moment = now if case.at is None else case.at
        decision = evaluator.decide(case.request, moment)
        matches = evaluator.explain(case.request, moment)
        reached = frozenset(place for match in matches for place in match.places)
        yield Result(case, decision, _failure(case, decision, matches), reached)


def uncovered(rows: Rows, results: Iterable[Result], extra: str = "") -> list[str]:
    """Return the places of the rows that no case came to; a file's own rows do not count."""
    reached = frozenset(place for result in results for place in result.rows)
    places = [*(rule.place for rule in rows.rules), *(grant.place for grant in rows.grants)]
    return [
        place
        for place in places
        if place not in reached and not (extra and place.startswith(f"rows of {extra}:"))
    ]


def _texts(sources: list[Source]) -> list[tuple[str, str]]:
    texts = []
    for source in sources:
        with source.open() as file, io.TextIOWrapper(file, encoding="utf-8-sig") as text:
            texts.append((source.label, text.read()))
    return texts


def _failure(case: Case, decision: Decision, matches: Iterable[Match]) -> str:
    if decision.effect not in case.expected:
        wanted = " or ".join(effect.value for effect in case.expected)
        return f"expected {wanted}, got {_told(decision)}"
    deciding = "deny" if decision.effect is Effect.DENY else "allow"
    if case.by and not any(
        _is_by(case.by, match) for match in matches if match.rule.effect == deciding
    ):
        return f"expected it by {case.by}, but it is {_told(decision)}"
    return ""


def _told(decision: Decision) -> str:
    return decision.reason or "no opinion: no row applies"


def _is_by(by: str, match: Match) -> bool:
    subjects = {cells.show_subject(match.subject), *(grant.role for grant in match.grants)}
    if by in subjects or by == match.rule.who:
        return True
    return any(
        by == name or name.endswith(f"/{by}")
        for place in match.places
        for name in (place, place.rpartition(":")[0])
    )


def _cases(suite: _Suite, at: Place) -> Iterator[Case]:
    for number, test in readable(suite.tests):
        place = at.field("tests").item(number)
        user = _user(suite, test.user, place.field("as"))
        name = test.name or f"test {number + 1}"
        for verb, questions in (("can", test.can), ("cannot", test.cannot)):
            for index, question in readable(questions):
                one = _Question(ask=question) if isinstance(question, str) else question
                try:
                    yield _case(name, user, verb, one, test.at)
                except (asking.QuestionError, CellError) as error:
                    place.field(verb).item(index).error(f"{one.ask}: {error}")


def _case(name: str, user: UserInfo, verb: str, question: _Question, at: str) -> Case:
    request = asking.question(question.ask, user)
    if verb == "can":
        if question.denied is not None:
            raise asking.QuestionError("denied is for what somebody cannot")
        expected: tuple[Effect, ...] = (Effect.ALLOW,)
    elif question.denied is None:
        expected = (Effect.DENY,) if question.by else (Effect.NO_OPINION, Effect.DENY)
    else:
        expected = (Effect.DENY,) if question.denied else (Effect.NO_OPINION,)
    moment = cells.parse_time(question.at or at)
    return Case(name, f"{verb} {question.ask}", request, expected, question.by, moment)


def _user(suite: _Suite, given: str | _User, at: Place) -> UserInfo:
    if isinstance(given, str):
        if given not in suite.given:
            at.error(f"{given!r} is none of given")
        given = suite.given.get(given) or _User()
    elif not given.user and not given.groups and not given.service_account and not at.has_errors():
        at.error("is nobody: user, serviceAccount or groups")
    for prefix, names in (("user:", (given.user,)), ("group:", given.groups)):
        for _, name in readable(names):
            if name.startswith(prefix):
                meant = name.removeprefix(prefix)
                at.error(f"a name is meant, and {name!r} is a subject; did you mean {meant}?")
    name = given.user
    if given.service_account:
        name = "serviceaccount:" + given.service_account.replace("/", ":")
    try:
        return asking.asker(name, given.groups, given.uid, given.extra)
    except asking.QuestionError as error:
        at.error(str(error))
        return UserInfo("")
