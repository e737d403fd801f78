"""From a configuration to a service: what is asked in what order, and what a reload costs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from authsvc.config import KIND, load, v1alpha1
from authsvc.errors import InvalidPolicyError
from authsvc.interfaces import Attributes, Effect, UserInfo
from authsvc.service import Service, build

ALICE = Attributes(UserInfo("alice"), "get", resource="pods", namespace="ns")
GRANT = "p, user:alice, *, pods, *, get, allow\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "first.csv").write_text("one,alice,\ntwo,system:admin,\n")
    (tmp_path / "second.csv").write_text("one,mallory,\nthree,carol,\n")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/team.csv").write_text(GRANT)
    return tmp_path


def built(folder: Path, **sections: Any) -> Service:
    document = {
        "apiVersion": v1alpha1.API_VERSION,
        "kind": KIND,
        "authentication": {
            "authenticators": [
                {"name": name, "type": "StaticTokens", "staticTokens": {"file": f"{name}.csv"}}
                for name in ("first", "second")
            ]
        },
        "authorization": {"policy": {"folder": "policy"}},
        **sections,
    }
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document))
    return build(load(file))


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    made = built(folder)
    yield made
    made.close()


def who(service: Service, token: str) -> str | None:
    with capture_logs():
        identity = service.tokens.authenticate_token(token, ())
    return None if identity is None else identity.user.username


def test_authenticators_are_asked_in_their_order(service: Service) -> None:
    assert (who(service, "one"), who(service, "three"), who(service, "x")) == (
        "alice",
        "carol",
        None,
    )


def test_no_table_can_name_the_control_plane(service: Service) -> None:
    assert who(service, "two") is None


def test_the_service_vouches_for_its_audiences(folder: Path) -> None:
    service = built(
        folder,
        authentication={
            "audiences": ["b"],
            "authenticators": [
                {"name": "first", "type": "StaticTokens", "staticTokens": {"file": "first.csv"}}
            ],
        },
    )
    identity = service.tokens.authenticate_token("one", ("a", "b"))
    assert identity is not None
    assert identity.audiences == ("b",)
    assert service.tokens.authenticate_token("one", ("a",)) is None


def test_after_a_table_is_reloaded_nothing_of_the_old_one_is_answered(
    service: Service, folder: Path
) -> None:
    assert who(service, "one") == "alice"
    (folder / "first.csv").write_text("other,bob,\n")
    for file in service.files:
        file.reload()
    assert who(service, "one") == "mallory"
    assert who(service, "other") == "bob"


def test_the_policy_decides_with_its_rows(service: Service) -> None:
    decision = service.authorizer.authorize(ALICE)
    assert decision.effect is Effect.ALLOW
    assert "team.csv:1" in decision.reason


def test_without_a_policy_there_is_no_opinion_of_anything(folder: Path) -> None:
    service = built(folder, authorization={})
    assert service.authorizer.authorize(ALICE).effect is Effect.NO_OPINION


def test_a_policy_on_trial_decides_nothing(folder: Path) -> None:
    service = built(folder, authorization={"mode": "Shadow", "policy": {"folder": "policy"}})
    decision = service.authorizer.authorize(ALICE)
    assert decision.effect is Effect.NO_OPINION
    assert decision.shadowed is not None
    assert decision.shadowed.effect is Effect.ALLOW


def test_every_fault_of_every_file_is_found_at_once(folder: Path) -> None:
    (folder / "first.csv").write_text("one\n")
    (folder / "second.csv").write_text("three,carol,\nthree,dave\n")
    (folder / "policy/team.csv").write_text(GRANT + "q, x\n")
    with pytest.raises(InvalidPolicyError) as caught:
        built(folder)
    places = [(Path(error.file).name, error.line) for error in caught.value.errors]
    assert places == [("first.csv", 1), ("second.csv", 2), ("team.csv", 2)]


def test_a_provider_is_imported_when_it_is_named_and_not_before() -> None:
    code = (
        "import sys, authsvc.service; print([n for n in ('ldap3', 'httpcore') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


class Part:
    """A part that remembers what became of it."""

    def __init__(self) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running = False


def test_a_service_starts_and_closes_its_parts(service: Service) -> None:
    part = Part()
    with_part = service._replace(parts=(part,))
    with_part.start()
    assert part.running
    with_part.close()
    assert not part.running


def test_what_is_being_answered_by_a_retired_service_is_answered_still(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[tuple[float, Any]] = []

    class Timer:
        daemon = False

        def __init__(self, seconds: float, close: Any) -> None:
            timers.append((seconds, close))

        def start(self) -> None:
            assert self.daemon  # nobody waits for it at the end

    monkeypatch.setattr(threading, "Timer", Timer)
    part = Part()
    old = service._replace(parts=(part,))
    old.start()
    old.retire()
    assert part.running
    ((seconds, close),) = timers
    assert seconds >= 30  # the API server's longest wait
    close()
    assert not part.running
