"""A policy that changes while it is asked: the last good set, whole, at every moment."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authsvc import policy
from authsvc.authz.policy import PolicyAuthorizer
from authsvc.interfaces import Effect
from authsvc.policy import PolicySnapshot
from authsvc.reloading import Reloading
from authsvc.truncation import refuse_truncated
from tests.contract.asking import ask, p

GOOD = p("user:alice", "*", "pods") + p("user:alice", "*", "secrets", effect="deny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.csv").write_text(GOOD)
    return tmp_path / "policy"


@pytest.fixture
def reloading(folder: Path) -> Reloading[PolicySnapshot]:
    reloading = Reloading(
        "policy", refuse_truncated(lambda: policy.load(folder), folder), (folder,)
    )
    reloading.load()
    return reloading


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD + "p, nonsense\n", "a.csv:3: 2 cells"),
        ("", "a.csv: empty"),
        (GOOD[: len(GOOD) // 2], "a.csv"),
        (GOOD[:-1], "half written"),
        ("g, user:alice, role:gone, *\n", "a.csv:1: role:gone"),
        (None, "policy: no *.csv file"),
    ],
    ids=["bad row", "emptied", "cut in half", "cut at the end", "undefined role", "removed"],
)
def test_a_bad_edit_keeps_the_last_good_policy_and_says_where(
    folder: Path, reloading: Reloading[PolicySnapshot], content: str | None, said: str
) -> None:
    authorizer = PolicyAuthorizer(reloading)
    if content is None:
        (folder / "a.csv").unlink()
    else:
        (folder / "a.csv").write_text(content)

    with capture_logs() as logs:
        assert not reloading.reload()

    assert authorizer.authorize(ask()).effect is Effect.ALLOW
    assert authorizer.authorize(ask(what="secrets")).effect is Effect.DENY
    assert reloading.last_error is not None
    assert said in reloading.last_error
    assert said in logs[0]["error"]
    assert logs[0]["log_level"] == "error"


def test_a_folder_that_vanishes_keeps_the_last_good_policy(
    folder: Path, reloading: Reloading[PolicySnapshot]
) -> None:
    folder.rename(folder.with_name("gone"))

    with capture_logs():
        assert not reloading.reload()

    assert PolicyAuthorizer(reloading).authorize(ask()).effect is Effect.ALLOW


def test_no_request_sees_half_a_policy_while_it_reloads(
    folder: Path, reloading: Reloading[PolicySnapshot]
) -> None:
    """Two versions differ in two files; together they always deny secrets or always pods."""
    authorizer = PolicyAuthorizer(reloading)
    stop = threading.Event()
    wrong: list[object] = []
    asked = 0

    def work() -> None:
        nonlocal asked
        while not stop.is_set():
            snapshot = reloading.current
            effects = {
                what: snapshot.evaluator.decide(ask(what=what), 0).effect
                for what in ("pods", "secrets")
            }
            if sorted(effect.value for effect in effects.values()) != ["allow", "deny"]:
                wrong.append(effects)
            if authorizer.authorize(ask(what="secrets")).effect is Effect.NO_OPINION:
                wrong.append("no opinion")
            asked += 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with capture_logs():
            for version in range(30):
                denied, allowed = ("pods", "secrets") if version % 2 else ("secrets", "pods")
                rows = p("user:alice", "*", allowed) + p("user:alice", "*", denied, effect="deny")
                (folder / "new").write_text(rows * 50)
                (folder / "new").rename(folder / "a.csv")
                assert reloading.reload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert not wrong
    assert asked > 0
    assert reloading.generation == 31
