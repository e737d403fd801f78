"""`authsvc policy test`: questions, answers, rows, coverage, JUnit."""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from authsvc.policy import reader, snapshot
from authsvc.policy.rows import Rows
from tests.cli.policy.conftest import Answer, Authsvc

ROOT = Path(__file__).parents[3]


def ask(authsvc: Authsvc, policy: Path, tests: str, *options: object) -> Answer:
    file = policy.parent / "tests.yaml"
    file.write_text(textwrap.dedent(tests))
    return authsvc("test", "--policy", policy, file, *options)


def one(authsvc: Authsvc, policy: Path, question: str, verb: str = "can") -> Answer:
    user = "{user: alice, groups: [team-a, interns]}"
    return ask(authsvc, policy, f"tests: [{{as: {user}, {verb}: [{question}]}}]\n")


def test_the_shipped_roles_answer_their_own_tests_and_all_rows_are_covered(
    authsvc: Authsvc,
) -> None:
    files = sorted((ROOT / "policy" / "tests").glob("*.yaml"))

    answer = authsvc("test", "--policy", ROOT / "policy", "--min-coverage", 100, *files)

    assert files
    assert answer.code == 0, answer.out


@pytest.mark.parametrize(
    ("verb", "question"),
    [
        ("can", "get pods/log web -n team-a"),
        ("can", "{ask: get pods -n team-a, by: teams.csv}"),
        ("can", "{ask: get pods -n team-a, by: teams.csv:1}"),
        ("can", "{ask: get pods -n team-a, by: policy/roles.csv:2}"),
        ("can", "{ask: get pods -n team-a, by: role:view}"),
        ("can", "{ask: get pods -n team-a, by: group:team-a}"),
        ("can", "{ask: get /healthz, by: user:*}"),
        ("cannot", "get pods -n team-b"),
        ("cannot", "{ask: get pods -n team-b, denied: false}"),
        ("cannot", "get secrets -n prod"),
        ("cannot", "{ask: get secrets -n prod, denied: true}"),
        ("cannot", "{ask: get secrets -n prod, by: teams.csv:4}"),
    ],
)
def test_an_answer_as_expected_is_well(
    authsvc: Authsvc, policy: Path, verb: str, question: str
) -> None:
    answer = one(authsvc, policy, question, verb)

    assert answer.code == 0, answer.out
    assert answer.out.startswith("1 question, 0 failed; ")


@pytest.mark.parametrize(
    ("verb", "question", "said"),
    [
        ("can", "get pods -n team-b", "expected allow, got no opinion"),
        ("can", "get secrets -n prod", "expected allow, got denied by policy/teams.csv:4"),
        ("cannot", "get pods -n team-a", "expected no opinion or deny, got allowed by policy/"),
        ("cannot", "{ask: get pods -n b, denied: true}", "expected deny, got no opinion"),
        ("cannot", "{ask: get secrets -n prod, denied: false}", "expected no opinion, got denied"),
        ("can", "{ask: get pods -n team-a, by: teams.csv:2}", "expected it by teams.csv:2, but"),
        ("can", "{ask: get pods -n team-a, by: eams.csv:1}", "expected it by eams.csv:1, but"),
    ],
)
def test_an_answer_that_is_another_is_a_failure_that_says_so(
    authsvc: Authsvc, policy: Path, verb: str, question: str, said: str
) -> None:
    answer = one(authsvc, policy, question, verb)

    assert answer.code == 1
    assert "test 1\n  ✗ " in answer.out
    assert said in " ".join(answer.out.split())


def test_times_are_given_for_a_test_or_for_a_question(authsvc: Authsvc, policy: Path) -> None:
    answer = ask(
        authsvc,
        policy,
        """
        tests:
        - as: {user: bob}
          at: 2026-11-23T21:00:00Z
          can: [get pods -n prod]
          cannot: [{ask: get pods -n prod, at: 2026-11-24T02:00:00Z}]
        """,
    )

    assert answer.code == 0, answer.out


def test_a_file_may_bring_rows_of_its_own_that_do_not_count_as_covered(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = ask(
        authsvc,
        policy,
        """
        rows: |
          g, user:vera, role:view, x
        tests: [{as: {user: vera}, can: [get pods -n x]}]
        """,
        "--coverage",
    )

    assert answer.code == 0
    assert answer.out.endswith("1 question, 0 failed; 1 of 8 rows covered (12 %)\n")
    assert "policy/roles.csv:2\n" not in answer.out
    assert "policy/roles.csv:3\n" in answer.out


def test_the_policy_is_read_once_however_many_files_ask_it(
    authsvc: Authsvc, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def reading(folder: Path, after: Rows | None = None) -> Rows:
        read.append(folder)
        return reader.read(folder, after)

    monkeypatch.setattr(snapshot, "read", reading)
    files = []
    for name in "abc":
        files.append(policy.parent / f"{name}.yaml")
        files[-1].write_text("tests: [{as: {user: a}, can: [get /healthz]}]")

    answer = authsvc("test", "--policy", policy, *files)

    assert answer.out.startswith("3 questions, 0 failed; ")
    assert read == [policy]


def test_another_model_decides_and_nothing_but_answers_is_printed(
    authsvc: Authsvc, policy: Path
) -> None:
    shipped = (ROOT / "authsvc" / "policy" / "shipped" / "model.conf").read_text()
    model = policy.parent / "mine.conf"
    model.write_text(shipped.replace(" && !some(where (p.eft == deny))", ""))
    text = """
        rows: |
          p, user:a, *, pods, *, get, allow
          p, user:a, *, pods, *, get, deny
        tests: [{as: {user: a}, can: [get pods]}]
        """

    answer = ask(authsvc, policy, text, "--model", model)

    assert answer.code == 0, answer.out
    assert (len(answer.out.splitlines()), answer.err) == (1, "")


def test_a_coverage_below_the_least_is_a_failure(authsvc: Authsvc, policy: Path) -> None:
    text = "tests: [{as: {user: a}, can: [get /healthz]}]"

    assert ask(authsvc, policy, text, "--min-coverage", 12).code == 0
    assert ask(authsvc, policy, text, "--min-coverage", 13).code == 1


def test_junit_has_a_case_for_each_question(authsvc: Authsvc, policy: Path) -> None:
    report = policy.parent / "report.xml"
    text = "tests: [{name: n, as: {user: a}, can: [get /healthz, get /x], cannot: [get /y]}]"

    answer = ask(authsvc, policy, text, "--junit", report)

    root = ET.parse(report).getroot()  # noqa: S314  written a moment ago
    assert answer.code == 1
    assert [case.get("name") for case in root.iter("testcase")] == [
        "can get /healthz",
        "can get /x",
        "cannot get /y",
    ]
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [failure.get("message") for failure in root.iter("failure")] == [
        "expected allow, got no opinion: no row applies"
    ]


def test_a_report_that_cannot_be_written_is_an_error_of_a_line(
    authsvc: Authsvc, policy: Path
) -> None:
    report = policy / "gone" / "report.xml"

    answer = ask(
        authsvc, policy, "tests: [{as: {user: a}, can: [get /healthz]}]", "--junit", report
    )

    assert answer.code == 1
    assert answer.out.startswith("1 question, 0 failed; ")
    assert answer.err == f"error: {report}: no such file or directory\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: [", "tests.yaml:1: "),
        ("", "tests.yaml: tests: required"),
        ("? [a]\n: b", "tests.yaml:1: a key that is not a string"),
        ("tests: []", "tests.yaml: asks nothing"),
        ("test: []", "tests.yaml: test: unknown field; did you mean tests?"),
        ("tests: [{as: alice, can: [get /x]}]", "tests[0].as: 'alice' is none of given"),
        ("tests: [{as: {}, can: [get /x]}]", "tests[0].as: is nobody"),
        ("tests: [{as: {user: a}, can: [get]}]", "tests[0].can[0]: get: lacks what: a question"),
        ("tests: [{as: {user: 'user:a'}, can: [get /x]}]", "tests[0].as: a name is meant, and"),
        ("tests: [{as: {groups: ['group:a']}, can: [get /x]}]", "did you mean a?"),
        ("tests: [{as: {serviceAccount: ci}, can: [get /x]}]", "must be serviceaccount:NAMESPACE"),
        ("tests: [{as: {user: a}, can: [get /x -n y]}]", "tests[0].can[0]: get /x -n y: a path"),
        (
            "tests: [{as: {user: a}, can: [{ask: get /x, by: 1}]}]",
            "tests[0].can[0].by: expected a string, got a whole number",
        ),
        (
            "tests: [{as: {user: a}, can: [{ask: get /x, denied: false}]}]",
            "tests[0].can[0]: get /x: ",
        ),
        (
            "tests: [{as: {user: a}, cannot: [{ask: get /x, denied: no}]}]",
            "tests[0].cannot[0].denied: expected true or false, got a string",
        ),
        ("tests: [{as: {user: a}, at: x, can: [get /x]}]", "is not a time like"),
        ("tests: [{as: {user: a}, as: {user: b}, can: [get /x]}]", "key 'as' is given twice"),
        ("rows: x\ntests: [{as: {user: a}, can: [get /x]}]", "rows of "),
    ],
)
def test_a_file_that_is_wrong_says_where(
    authsvc: Authsvc, policy: Path, text: str, said: str
) -> None:
    answer = ask(authsvc, policy, text)

    assert answer.code == 1
    assert answer.out == ""
    assert said in answer.err
    assert answer.err.startswith("error: ")


def test_every_fault_of_a_file_is_found_at_once_with_its_field(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = ask(
        authsvc,
        policy,
        """
        given:
          alice: {user: 1001}
          robot: {serviceaccount: ci/deployer}
        tests:
        - {as: 7, can: [get /x, {by: teams.csv}, get]}
        - {as: alice, can: [get /x], cannot: get /y}
        - {as: bob, can: [3, get]}
        - {can: [get /x]}
        - {as: {groups: [1]}, can: [get /x]}
        """,
    )

    place = f"error: {policy.parent}/tests.yaml: "
    assert sorted(line.removeprefix(place) for line in answer.err.splitlines()) == [
        "given.alice.user: expected a string, got a whole number",
        "given.robot.serviceaccount: unknown field; did you mean serviceAccount?",
        "tests[0].as: expected a string or a mapping, got a whole number",
        "tests[0].can[1].ask: required",
        "tests[1].cannot: expected a list, got a string",
        "tests[2].as: 'bob' is none of given",
        "tests[2].can[0]: expected a string or a mapping, got a whole number",
        "tests[2].can[1]: get: lacks what: a question is VERB WHAT [NAME]",
        "tests[3].as: required",
        "tests[4].as.groups[0]: expected a string, got a whole number",
    ]


def test_people_may_be_called_on_and_no(authsvc: Authsvc, policy: Path) -> None:
    answer = ask(authsvc, policy, "tests: [{as: {user: no, groups: [on]}, can: [get /healthz]}]")

    assert answer.code == 0, answer.err


def test_a_question_about_what_does_not_exist_proves_nothing(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = one(authsvc, policy, "get secret -n prod", "cannot")

    assert answer.code == 0
    assert answer.err == (
        f"warning: {policy.parent}/tests.yaml: cannot get secret -n prod: "
        "no API has secret; did you mean secrets?\n"
    )


def test_a_verb_that_there_is_not_proves_nothing(authsvc: Authsvc, policy: Path) -> None:
    answer = one(authsvc, policy, "delte pods -n prod", "cannot")

    assert answer.code == 0
    assert answer.err == (
        f"warning: {policy.parent}/tests.yaml: cannot delte pods -n prod: "
        "no verb is known as delte; did you mean delete?\n"
    )
