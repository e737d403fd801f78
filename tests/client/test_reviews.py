"""`kubectl authsvc whoami` and `can-i` with the real kubectl."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client.conftest import Person
from tests.client.servers import Answer, APIServer


@pytest.mark.usefixtures("logged_in")
class TestReviews:
    """`kubectl authsvc whoami`, `kubectl authsvc can-i`."""

    def test_whoami_shows_what_the_api_server_sees(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "whoami")

        assert done.stdout.splitlines() == [
            "Username:  alice",
            "UID:       7",
            "Groups:    dev, system:authenticated",
        ]

    def test_whoami_fails_as_kubectl_does(self, alice: Person, api_server: APIServer) -> None:
        api_server.knows = lambda _: False

        done = alice.kubectl("authsvc", "whoami")

        assert done.returncode == 1
        assert "Unauthorized" in done.stderr
        assert "Traceback" not in done.stderr

    def test_can_i_explains_with_the_reason_of_the_authorizer(
        self, alice: Person, api_server: APIServer
    ) -> None:
        done = alice.kubectl("authsvc", "can-i", "get", "pods", "-n", "team-a", "--explain")

        assert (done.returncode, done.stdout) == (0, "yes\nallowed by team.csv:3\n")
        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"] == {
            "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "team-a"}
        }

    @pytest.mark.parametrize(
        ("verdict", "shown"),
        [
            ({"allowed": False}, "no\nno rule allows it and none denies it\n"),
            ({"allowed": False, "denied": True, "reason": "denied by x:1"}, "no\ndenied by x:1\n"),
            ({"allowed": False, "reason": "\x1b[31mred"}, "no\n[31mred\n"),
        ],
    )
    def test_no_is_exit_status_1(
        self, alice: Person, api_server: APIServer, verdict: dict[str, object], shown: str
    ) -> None:
        api_server.verdict = verdict

        done = alice.kubectl("authsvc", "can-i", "get", "pods", "--explain")

        assert (done.returncode, done.stdout) == (1, shown)

    def test_an_error_of_an_authorizer_is_told(self, alice: Person, api_server: APIServer) -> None:
        api_server.verdict = {"allowed": True, "evaluationError": "authsvc is down"}

        done = alice.kubectl("authsvc", "can-i", "get", "pods")

        assert done.stdout == "yes\n"
        assert "could not ask everybody: authsvc is down" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "attributes"),
        [
            (["get", "po"], {"resource": "pods", "namespace": "default"}),
            (["get", "Pod/web-0"], {"resource": "pods", "namespace": "default", "name": "web-0"}),
            (["get", "deploy", "-A"], {"resource": "deployments", "group": "apps"}),
            (["get", "node"], {"resource": "nodes"}),
            (
                ["get", "widgets.example.com", "-n", "x"],
                {"resource": "widgets", "group": "example.com", "namespace": "x"},
            ),
            (
                ["get", "pods", "--subresource=log"],
                {"resource": "pods", "subresource": "log", "namespace": "default"},
            ),
            (["get", "*"], {"resource": "*", "namespace": "default"}),
        ],
    )
    def test_a_type_is_named_as_kubectl_names_it(
        self,
        alice: Person,
        api_server: APIServer,
        arguments: list[str],
        attributes: dict[str, str],
    ) -> None:
        done = alice.kubectl("authsvc", "can-i", *arguments)

        assert done.returncode == 0, done.stderr
        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"]["resourceAttributes"] == {"verb": "get", **attributes}

    def test_a_type_that_is_not_there_is_an_error(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "can-i", "get", "gadgets")

        assert done.returncode == 1
        assert "the API server has no resource type 'gadgets'" in done.stderr

    def test_a_path_is_asked_about_as_one(self, alice: Person, api_server: APIServer) -> None:
        alice.kubectl("authsvc", "can-i", "get", "/healthz")

        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"] == {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}

    def test_another_user_is_asked_about_by_their_name(
        self, alice: Person, api_server: APIServer
    ) -> None:
        alice.kubectl("authsvc", "can-i", "get", "pods", "--for-user=bob", "--for-group=dev")

        (review,) = api_server.reviews("SubjectAccessReview")
        assert (review["spec"]["user"], review["spec"]["groups"]) == ("bob", ["dev"])


def test_the_answer_of_an_api_server_that_is_none_is_an_error(
    alice: Person, api_server: APIServer, logged_in: tuple[str, ...], monkeypatch: Any
) -> None:
    assert logged_in
    monkeypatch.setattr(api_server, "answer", lambda _: Answer(201, [1]))

    done = alice.kubectl("authsvc", "whoami")

    assert done.returncode == 1
    assert "did not print a JSON object" in done.stderr
