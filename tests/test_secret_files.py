"""A secret in a file: one rule for all, and nothing of it in an error."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from authsvc.errors import InvalidConfigurationError
from authsvc.secret_files import read_secret, secret_in


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("word", "word"),
        ("word\n", "word"),
        ("word\r\n", "word"),
        ("word\n\n", "word\n"),
        ("\nword", "\nword"),
        (" wörd \n", " wörd "),
    ],
)
def test_one_line_end_at_the_end_is_not_part_of_the_secret(
    tmp_path: Path, content: str, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())

    assert read_secret(file) == secret


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file or directory"),
        (b"", "empty"),
        (b"\r\n", "empty"),
        (b"canary\xff", "not UTF-8"),
    ],
    ids=["missing", "nothing", "a line end", "not UTF-8"],
)
def test_a_file_without_a_secret_is_named_and_not_quoted(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidConfigurationError) as refused:
        read_secret(file)

    assert str(refused.value) == f"{file}: {message}"
    assert "canary" not in "".join(traceback.format_exception(refused.value))


def test_a_secret_follows_its_file_and_the_last_good_one_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old\n")
    secret = secret_in(file, "a-part")
    secret.load()

    file.write_text("new\n")
    assert secret.reload()
    file.write_text("\n")
    assert not secret.reload()

    assert secret.current == "new"
    assert secret.last_error == f"{file}: empty"
