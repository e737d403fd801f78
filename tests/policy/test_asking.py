"""Questions in kubectl's words."""

from __future__ import annotations

import pytest

from authsvc.interfaces import Attributes, Requirement, UserInfo
from authsvc.policy.asking import QuestionError, asker, question, show

ALICE = UserInfo("alice")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get pods", Attributes(ALICE, "get", True, "", "", "*", "pods")),
        ("get pods.core web", Attributes(ALICE, "get", True, "", "", "*", "pods", "", "web")),
        (
            "update deployments.apps/scale web -n team-a",
            Attributes(ALICE, "update", True, "team-a", "apps", "*", "deployments", "scale", "web"),
        ),
        ("get /healthz", Attributes(ALICE, "get", False, path="/healthz")),
        (
            "list pods -A -l 'team in (a,b),!x' --field-selector spec.nodeName=n1",
            Attributes(
                *(ALICE, "list", True, "", "", "*", "pods", "", "", ""),
                (Requirement("spec.nodeName", "In", ("n1",)),),
                (Requirement("team", "In", ("a", "b")), Requirement("x", "DoesNotExist")),
            ),
        ),
    ],
)
def test_a_question_is_the_request_that_kubectl_would_make(text: str, expected: Attributes) -> None:
    assert question(text, ALICE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "get pods",
        "get pods.apps web -n team-a",
        "get /healthz",
        "list pods -n a --field-selector spec.nodeName=n1 -l 'team!=a'",
        "list pods -l '!x,team in (a,b)'",
        "watch pods -l team",
    ],
)
def test_a_request_is_shown_as_its_question(text: str) -> None:
    assert show(question(text, ALICE)) == text


def test_a_selector_of_one_name_sets_the_name_as_the_api_server_does() -> None:
    assert question("list pods --field-selector metadata.name=web", ALICE).name == "web"


@pytest.mark.parametrize(
    "text",
    [
        "get",
        "get pods. x",
        "get .apps",
        "get pods/",
        "get /x y",
        "get pods a b",
        "get 'x",
        "-x y z",
    ],
)
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(QuestionError):
        question(text, ALICE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: a question is VERB WHAT [NAME]"),
        ("get", "lacks what: a question is VERB WHAT [NAME]"),
        ("get pods a b", "has more than VERB WHAT [NAME] and options: b"),
        ("get pods --foo", "has more than VERB WHAT [NAME] and options: --foo"),
        ("get pods -n", "has no value for --namespace"),
        ("get pods -n a -A", "has both -n and -A"),
        ("get pods -A -n a", "has both -n and -A"),
        ("get pods -l", "has no value for --selector"),
        ("get 'x", "has a quote or a backslash that nothing follows"),
        ("get pods --all-namespaces=x", "has a value for -A, which takes none"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_in_our_words(text: str, said: str) -> None:
    with pytest.raises(QuestionError) as raised:
        question(text, ALICE)

    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        (asker("a"), ("system:authenticated",)),
        (asker("a", ["b", "b"]), ("b", "system:authenticated")),
        (asker("", ["b"]), ("b",)),
        (asker("system:anonymous"), ("system:unauthenticated",)),
        (
            asker("serviceaccount:n:a"),
            ("system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"),
        ),
    ],
)
def test_who_asks_is_in_the_groups_that_the_api_server_adds(
    user: UserInfo, groups: tuple[str, ...]
) -> None:
    assert user.groups == groups


def test_a_service_account_has_its_long_name() -> None:
    assert asker("serviceaccount:n:a").username == "system:serviceaccount:n:a"
