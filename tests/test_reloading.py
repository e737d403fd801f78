"""Last good: a bad edit costs nothing, a good one is live, and the polling outlives both."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from authsvc.errors import ConfigError, InvalidConfigurationError, NotReadyError
from authsvc.reloading import Reloading, fingerprint
from tests.parts.waiting import eventually

POLL_SECONDS = 0.02


def read_number(file: Path) -> int:
    text = file.read_text()
    if text == "crash":
        raise RuntimeError("a fault of ours")
    if not text.isdigit():
        raise InvalidConfigurationError([ConfigError(f"{file.name}:1", "not a number")])
    return int(text)


def polled(number: Reloading[int]) -> int:
    number.poll()
    return number.current


def polling(part: str) -> bool:
    return f"reload-{part}" in {thread.name for thread in threading.enumerate()}


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"part": "number", **labels}) or 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


@pytest.fixture
def number(file: Path) -> Iterator[Reloading[int]]:
    part = Reloading("number", lambda: read_number(file), [file], poll_seconds=POLL_SECONDS)
    yield part
    part.close()


def test_before_the_first_load_there_is_nothing_to_answer_from(number: Reloading[int]) -> None:
    with pytest.raises(NotReadyError, match="number: not loaded"):
        _ = number.current
    assert number.generation == 0


def test_the_first_load_lets_errors_through(number: Reloading[int], file: Path) -> None:
    file.write_text("x")
    with pytest.raises(InvalidConfigurationError, match="number:1: not a number"):
        number.load()


def test_a_good_reload_is_a_new_generation(number: Reloading[int], file: Path) -> None:
    number.load()
    file.write_text("2")
    assert number.reload()
    assert (number.current, number.generation, number.last_error) == (2, 2, None)


@pytest.mark.parametrize(
    ("text", "error"),
    [("x", "number:1: not a number"), ("crash", "RuntimeError while loading")],
)
def test_a_bad_reload_keeps_the_last_good_value_and_says_why(
    number: Reloading[int], file: Path, text: str, error: str
) -> None:
    number.load()
    file.write_text(text)
    with capture_logs() as logged:
        assert not number.reload()
    assert (number.current, number.generation, number.last_error) == (1, 1, error)
    assert {"reload_failed_last_good_kept"} <= {line["event"] for line in logged}


def test_a_changed_file_is_live_by_itself_and_so_is_its_repair(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    number.start()
    file.write_text("x")
    eventually(lambda: number.last_error, "the error is known")
    assert number.current == 1
    file.write_text("22")
    eventually(lambda: number.current == 22, "the repaired file is live")
    assert number.last_error is None


def test_a_file_that_went_away_is_an_error_and_its_return_ends_it(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    number.start()
    file.unlink()
    eventually(lambda: number.last_error, "the error is known")
    file.write_text("3")
    eventually(lambda: number.current == 3, "the new file is live")


def test_what_another_file_is_missing_for_is_tried_again_and_told_once(
    file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "named in it"
    tries: list[str] = []

    def read() -> int:
        tries.append("one")
        if file.read_text() == "2" and not other.exists():
            raise InvalidConfigurationError([ConfigError(other.name, "no such file")])
        return read_number(file)

    number = Reloading("number", read, [file], retry_seconds=POLL_SECONDS)
    number.load()
    file.write_text("2")
    with capture_logs() as logged:
        eventually(lambda: polled(number) and len(tries) >= 4, "it is tried again")
        other.touch()
        eventually(lambda: polled(number) == 2, "the file is there now")

    assert number.last_error is None
    events = [line["event"] for line in logged]
    assert events == ["reload_failed_last_good_kept", "reloaded"]


def test_what_is_tried_again_is_given_its_time(file: Path) -> None:
    tries: list[str] = []

    def read() -> int:
        tries.append(file.read_text())
        return read_number(file)

    number = Reloading("number", read, [file], retry_seconds=3600)
    number.load()
    file.write_text("bad")
    for _ in range(5):
        number.poll()

    assert tries == ["1", "bad"]


def test_the_metrics_say_whether_the_newest_files_are_in_use(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    failures = sample("authsvc_reloads_total", result="failure")
    successes = sample("authsvc_reloads_total", result="success")

    for text, healthy, generation in (("x", 0, 1), ("crash", 0, 1), ("2", 1, 2)):
        file.write_text(text)
        with capture_logs():
            assert number.reload() is bool(healthy)
        assert sample("authsvc_reload_healthy") == healthy
        assert sample("authsvc_generation") == generation

    assert sample("authsvc_reloads_total", result="failure") == failures + 2
    assert sample("authsvc_reloads_total", result="success") == successes + 1


def test_the_gauges_of_a_value_are_set_in_each_process_that_starts(file: Path) -> None:
    measured: list[int] = []
    number = Reloading("number", lambda: read_number(file), [file], measure=measured.append)
    number.load()

    number.start()
    number.close()

    assert measured == [1, 1]


def test_a_fault_of_ours_is_logged_with_its_traceback(file: Path) -> None:
    def fail(_: int) -> None:
        raise OSError("the disk is gone")

    number = Reloading("number", lambda: read_number(file), [file], measure=fail)
    with capture_logs() as logged:
        number.load()
        file.write_text("crash")
        number.reload()

    crashed = [line["event"] for line in logged if line.get("exc_info")]
    assert crashed == ["reload_hook_crashed", "reload_hook_crashed", "reload_crashed"]


def test_what_changed_between_the_load_and_the_start_is_taken_at_the_start(file: Path) -> None:
    number = Reloading("number", lambda: read_number(file), [file], poll_seconds=3600)
    number.load()
    file.write_text("2")
    number.start()
    try:
        assert number.current == 2
    finally:
        number.close()


def test_a_value_that_was_replaced_is_retired_after_the_new_one_is_in_place(file: Path) -> None:
    retired: list[tuple[int, int]] = []

    def retire(old: int) -> None:
        retired.append((old, part.current))

    part = Reloading("number", lambda: read_number(file), [file], retire=retire)
    part.load()
    file.write_text("2")
    part.reload()
    assert retired == [(1, 2)]


def test_hooks_that_fail_cost_neither_the_value_nor_the_polling(file: Path) -> None:
    def fail(_: int) -> None:
        raise OSError("the disk is gone")

    number = Reloading(
        "number",
        lambda: read_number(file),
        [file],
        retire=fail,
        measure=fail,
        poll_seconds=POLL_SECONDS,
    )
    with capture_logs():
        number.load()
        number.start()
        for value in (2, 3):
            file.write_text(str(value))
            eventually(lambda value=value: number.current == value, f"{value} is live")  # type: ignore[misc]  # binds the loop's value
        number.close()


def test_it_can_be_started_and_closed_twice_and_again(number: Reloading[int], file: Path) -> None:
    number.load()
    for value in (2, 3):
        number.start()
        number.start()
        file.write_text(str(value))
        eventually(lambda value=value: number.current == value, f"{value} is live")  # type: ignore[misc]  # binds the loop's value
        number.close()
        number.close()


def test_a_closed_part_takes_nothing_new_by_itself(number: Reloading[int], file: Path) -> None:
    number.load()
    number.start()
    assert polling("number")

    number.close()
    file.write_text("2")

    assert not polling("number")
    assert number.current == 1


def write(path: Path) -> None:
    path.write_text("other")


def replace(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text(path.read_text())
    new.rename(path)


@pytest.mark.parametrize("change", [write, replace, Path.unlink])
def test_every_way_to_change_a_file_is_seen(file: Path, change: object) -> None:
    before = fingerprint([file])
    assert callable(change)
    change(file)
    assert fingerprint([file]) != before


def test_a_change_that_keeps_size_and_time_of_change_is_seen(file: Path) -> None:
    before, status = fingerprint([file]), file.stat()

    def change() -> bool:
        file.write_text("2")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as rsync -t does
        return fingerprint([file]) != before  # at the next tick of the kernel's clock

    eventually(change, "the change is seen")


def test_a_link_to_nowhere_in_a_folder_is_seen_to_get_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").symlink_to(tmp_path / "elsewhere")
    before = fingerprint([folder])

    (tmp_path / "elsewhere").touch()

    assert fingerprint([folder]) != before


def test_a_folders_files_are_seen_to_come_change_and_go(tmp_path: Path) -> None:
    seen = {fingerprint([tmp_path])}
    file = tmp_path / "a.csv"
    file.write_text("1")
    seen.add(fingerprint([tmp_path]))
    file.write_text("22")
    seen.add(fingerprint([tmp_path]))
    file.rename(tmp_path / "b.csv")
    seen.add(fingerprint([tmp_path]))
    assert len(seen) == 4


def test_the_swapped_link_of_a_config_map_is_seen(tmp_path: Path) -> None:
    # A ConfigMap volume: key -> ..data/key, ..data -> a folder per version.
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "key").write_text("same")
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "key").symlink_to("..data/key")
    before = fingerprint([tmp_path / "key"]), fingerprint([tmp_path])
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").rename(tmp_path / "..data")
    after = fingerprint([tmp_path / "key"]), fingerprint([tmp_path])
    assert before[0] != after[0]
    assert before[1] != after[1]


def in_a_fork(do: Callable[[], None]) -> None:
    """Do something in a process forked from this one, and wait for its end."""
    child = multiprocessing.get_context("fork").Process(target=do)
    child.start()
    child.join()
    assert child.exitcode == 0


def test_a_worker_does_not_go_on_from_what_others_had_replaced(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    file.write_text("22")
    in_a_fork(lambda: None if number.reload() else sys.exit(1))
    file.write_text("broken")

    number.start()

    with pytest.raises(NotReadyError):
        _ = number.current
    assert number.generation == 0
    file.write_text("333")
    eventually(lambda: number.generation and number.current == 333, "the mended file is taken")


def test_a_worker_goes_on_from_what_is_still_the_last_good(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    in_a_fork(lambda: None if number.reload() else sys.exit(1))
    file.write_text("broken")

    number.start()

    assert number.current == 1
    assert number.last_error is not None


def test_who_polls_by_themselves_takes_a_change_at_the_second_look(
    number: Reloading[int], file: Path
) -> None:
    number.load()
    file.write_text("22")

    number.poll()
    assert number.current == 1
    number.poll()
    assert number.current == 22
