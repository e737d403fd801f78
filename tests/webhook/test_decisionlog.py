"""The decision log: one line per review, whatever becomes of the disk or the reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from authsvc import metrics
from authsvc.api import authorization
from authsvc.errors import InvalidConfigurationError
from authsvc.interfaces import Decision, Effect, Identity, UserInfo
from authsvc.webhook import line_writer
from authsvc.webhook.decisionlog import DecisionLog
from tests.parts.waiting import eventually

ALICE = Identity(UserInfo("alice", "1001", ("devs",)), ("aud",))
ALLOW = Decision(Effect.ALLOW, "allowed by a.csv:1", ("a.csv:1",))


def review(user: str = "alice", version: str = "v1beta1") -> authorization.SubjectAccessReview:
    spec = {
        "user": user,
        "group": ["devs"],
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "ns"},
    }
    body = {"apiVersion": f"authorization.k8s.io/{version}", "spec": spec}
    return authorization.parse(json.dumps(body).encode())


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def lost() -> float:
    return float(metrics.DECISION_LOG_FAILURES._value.get())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def log(file: Path) -> Iterator[DecisionLog]:
    decisions = DecisionLog(file)
    decisions.start()
    yield decisions
    decisions.close()


def test_a_decisions_line_says_who_what_effect_why_and_how_long(
    log: DecisionLog, file: Path
) -> None:
    log.subject_access_review(review(), ALLOW, 0.001234)
    log.close()
    (line,) = lines_of(file)
    assert line.pop("time").endswith("Z")
    assert line.pop("requestId")
    assert line == {
        "kind": "SubjectAccessReview",
        "effect": "allow",
        "spec": {
            "resourceAttributes": {"namespace": "ns", "verb": "get", "resource": "pods"},
            "user": "alice",
            "groups": ["devs"],
        },
        "durationMicroseconds": 1234,
        "reason": "allowed by a.csv:1",
        "rules": ["a.csv:1"],
    }


def test_a_line_can_be_asked_again_as_v1(log: DecisionLog, file: Path) -> None:
    asked = review()
    log.subject_access_review(asked, ALLOW, 0)
    log.close()
    again = authorization.parse(json.dumps({"spec": lines_of(file)[0]["spec"]}).encode())
    assert again.attributes == asked.attributes


def test_what_a_policy_on_trial_would_have_said_is_in_the_line(
    log: DecisionLog, file: Path
) -> None:
    shadowed = Decision(Effect.DENY, "denied by b.csv:2", ("b.csv:2",))
    log.subject_access_review(review(), Decision(Effect.NO_OPINION, shadowed=shadowed), 0)
    log.close()
    (line,) = lines_of(file)
    assert line["effect"] == "no opinion"
    assert line["shadow"] == {
        "effect": "deny",
        "reason": "denied by b.csv:2",
        "rules": ["b.csv:2"],
    }


def test_a_token_reviews_line_says_whose_and_nothing_of_the_token(
    log: DecisionLog, file: Path
) -> None:
    log.token_review("authenticated", ALICE, 0.5, cached=True)
    log.token_review("rejected", None, 0.25, cached=False)
    log.close()
    first, second = lines_of(file)
    assert first["user"] == {"username": "alice", "uid": "1001", "groups": ["devs"]}
    assert (first["outcome"], first["cached"], first["audiences"]) == (
        "authenticated",
        True,
        ["aud"],
    )
    assert (second["outcome"], second["durationMicroseconds"]) == ("rejected", 250_000)
    assert "user" not in second


def test_every_line_has_an_id_of_its_own(log: DecisionLog, file: Path) -> None:
    for _ in range(100):
        log.subject_access_review(review(), ALLOW, 0)
    log.close()
    assert len({line["requestId"] for line in lines_of(file)}) == 100


def test_a_line_is_written_soon_without_a_close(log: DecisionLog, file: Path) -> None:
    log.subject_access_review(review(), ALLOW, 0)
    eventually(lambda: file.exists() and lines_of(file), "the line is there")


def test_a_close_writes_all_that_waits_in_order(log: DecisionLog, file: Path) -> None:
    def record(writer: int) -> None:
        for number in range(1000):
            log.subject_access_review(review(f"{writer}-{number}"), ALLOW, 0)

    threads = [threading.Thread(target=record, args=[writer]) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    users = [line["spec"]["user"] for line in lines_of(file)]
    assert len(users) == 4000
    for writer in range(4):
        mine = [user for user in users if user.startswith(f"{writer}-")]
        assert mine == [f"{writer}-{number}" for number in range(1000)]


def test_a_line_that_comes_while_it_closes_is_written(log: DecisionLog, file: Path) -> None:
    before = lost()
    log._writer._stop.set()
    eventually(
        lambda: not any(each.name == "decision-log" for each in threading.enumerate()),
        "the thread has ended",
    )
    log.subject_access_review(review("late"), ALLOW, 0)
    log.close()
    assert [line["spec"]["user"] for line in lines_of(file)] == ["late"]
    assert lost() == before


def test_it_can_be_started_again_after_a_close(log: DecisionLog, file: Path) -> None:
    for _ in range(2):
        log.start()
        log.subject_access_review(review(), ALLOW, 0)
        log.close()
        log.close()
    assert len(lines_of(file)) == 2


def test_the_file_is_for_its_owner_alone(log: DecisionLog, file: Path) -> None:
    log.subject_access_review(review(), ALLOW, 0)
    log.close()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_added_to(log: DecisionLog, file: Path) -> None:
    file.write_text('{"before": true}\n')
    log.subject_access_review(review(), ALLOW, 0)
    log.close()
    assert len(lines_of(file)) == 2


def test_a_file_that_is_rotated_away_is_made_anew_and_no_line_is_lost(
    log: DecisionLog, file: Path
) -> None:
    rotated = file.with_suffix(".1")
    log.subject_access_review(review("before"), ALLOW, 0)
    eventually(lambda: file.exists() and lines_of(file), "the first line is there")
    file.rename(rotated)
    written = 0

    def made_anew() -> bool:
        nonlocal written
        log.subject_access_review(review("after"), ALLOW, 0)
        written += 1
        return file.exists()

    eventually(made_anew, "the file is made anew")
    log.close()
    assert len(lines_of(rotated) + lines_of(file)) == written + 1


def test_off_writes_nothing_and_starts_nothing() -> None:
    before = threading.active_count()
    decisions = DecisionLog("off")
    decisions.start()
    decisions.subject_access_review(review(), ALLOW, 0)
    decisions.token_review("authenticated", ALICE, 0, cached=False)
    assert threading.active_count() == before
    decisions.close()


def test_a_full_disk_is_said_once_and_what_fits_no_more_is_counted() -> None:
    decisions = DecisionLog(Path("/dev/full"), max_waiting_bytes=1000)
    before = lost()
    with capture_logs() as logged:
        decisions.start()
        decisions.subject_access_review(review(), ALLOW, 0)
        eventually(lambda: logged, "the failure is said")
        for _ in range(100):
            decisions.subject_access_review(review(), ALLOW, 0)
        decisions.close()
    events = [line["event"] for line in logged]
    assert events == [
        "decision_log_failed_lines_wait",
        "decision_log_closed_before_all_was_written",
    ]
    assert lost() - before >= 90


def test_what_a_full_disk_refused_is_written_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(line_writer, "_ROTATION_CHECK_SECONDS", 0.0)
    file = tmp_path / "decisions.jsonl"
    file.symlink_to("/dev/full")
    decisions = DecisionLog(file)
    with capture_logs() as logged:
        decisions.start()
        decisions.subject_access_review(review("first"), ALLOW, 0)
        eventually(lambda: logged, "the failure is said")
        assert decisions.problem == f"{file}: No space left on device"
        decisions.subject_access_review(review("second"), ALLOW, 0)
        file.unlink()
        eventually(lambda: len(logged) == 2, "it works again")
        eventually(lambda: decisions.problem is None, "nothing is wrong any more")
        decisions.close()
    assert [line["event"] for line in logged][1] == "decision_log_works_again"
    assert [line["spec"]["user"] for line in lines_of(file)] == ["first", "second"]


@pytest.mark.parametrize("bad", ["\udcff", object()], ids=["no text", "no JSON"])
def test_a_line_that_cannot_be_made_costs_no_other(log: DecisionLog, file: Path, bad: Any) -> None:
    before = lost()
    with capture_logs() as logged:
        for rule in ("first", bad, "last"):
            log.subject_access_review(review(), Decision(Effect.ALLOW, "", (rule,)), 0)
        eventually(lambda: logged, "the thread has met it")
        for _ in range(100):
            log.subject_access_review(review(), ALLOW, 0)
        log.close()
    assert [line["rules"] for line in lines_of(file)[:3]] == [["first"], ["last"], ["a.csv:1"]]
    assert len(lines_of(file)) == 102
    assert [line["event"] for line in logged] == ["decision_log_line_lost"]
    assert lost() - before == 1


def test_a_folder_that_is_not_there_costs_no_review(tmp_path: Path) -> None:
    decisions = DecisionLog(tmp_path / "none" / "decisions.jsonl")
    with capture_logs() as logged:
        decisions.start()
        decisions.subject_access_review(review(), ALLOW, 0)
        decisions.close()
    assert logged[0]["error"] == "No such file or directory"
    assert logged[0]["file"] == str(tmp_path / "none" / "decisions.jsonl")


def test_a_file_that_cannot_be_written_is_known_before_the_first_line(tmp_path: Path) -> None:
    DecisionLog("stdout").check()
    DecisionLog(tmp_path / "new.jsonl").check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidConfigurationError, match=r"logging\.decisions: .*: is a directory"):
        DecisionLog(tmp_path).check()
    with pytest.raises(InvalidConfigurationError, match="cannot be written"):
        DecisionLog(tmp_path / "none" / "decisions.jsonl").check()


def test_a_reader_that_does_not_read_holds_up_neither_reviews_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_writer, "CLOSE_SECONDS", 0.1)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        monkeypatch.setattr(sys, "stdout", writer)
        decisions = DecisionLog("stdout", max_waiting_bytes=200_000)
        decisions.start()
        before = lost()
        for _ in range(2000):  # several times what the pipe holds
            decisions.subject_access_review(review(), ALLOW, 0)
        with capture_logs() as logged:
            decisions.close()
        assert logged[0]["event"] == "decision_log_closed_before_all_was_written"
        assert lost() > before
        # What went out is whole lines; reading on lets the thread end.
        os.set_blocking(reader.fileno(), False)
        piece = reader.read(8 * 4096)
        assert all(json.loads(line) for line in piece.splitlines()[:-1])

        def drained() -> bool:
            reader.read()
            return not any(each.name == "decision-log" for each in threading.enumerate())

        eventually(drained, "the thread has ended")


WRITER = """
import json, sys
from authsvc.api import authorization
from authsvc.interfaces import Decision, Effect
from authsvc.webhook.decisionlog import DecisionLog
body = json.dumps({"spec": {"user": sys.argv[1] * 200, "resourceAttributes": {"verb": "get"}}})
review = authorization.parse(body.encode())
log = DecisionLog("stdout")
log.start()
for _ in range(2000):
    log.subject_access_review(review, Decision(Effect.ALLOW), 0)
log.close()
"""


def test_workers_that_share_a_pipe_do_not_mix_their_lines() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader:
        workers = [
            subprocess.Popen([sys.executable, "-c", WRITER, name], stdout=writing)
            for name in ("a", "b", "c")
        ]
        os.close(writing)
        lines = reader.read().splitlines()
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    users = [json.loads(line)["spec"]["user"] for line in lines]
    assert len(users) == 6000
    assert {len(set(user)) for user in users} == {1}


def test_a_log_that_nobody_closes_does_not_keep_the_process(tmp_path: Path) -> None:
    code = (
        "from authsvc.webhook.decisionlog import DecisionLog; from pathlib import Path; "
        f"DecisionLog(Path({str(tmp_path / 'log')!r})).start()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
