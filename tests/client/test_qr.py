"""QR codes, read back by a real reader (zbar)."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from authsvc.client import qr

# The most bytes that each version holds at level L (ISO/IEC 18004, table 7).
_CAPACITIES = (
    17,
    32,
    53,
    78,
    106,
    134,
    154,
    192,
    230,
    271,
    321,
    367,
    425,
    458,
    520,
    586,
    644,
    718,
    792,
    858,
)


def read_qr(modules: Sequence[Sequence[bool]], folder: Path) -> bytes:
    """Return what a QR code says, as a camera would see it."""
    program = shutil.which("zbarimg")
    if program is None:
        pytest.fail("zbarimg is missing: apt-get install zbar-tools")
    scale, quiet = 6, 4
    width = (len(modules[0]) + 2 * quiet) * scale
    height = (len(modules) + 2 * quiet) * scale
    image = bytearray(b"\xff" * (width * height))
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            for line in range(scale if dark else 0):
                start = ((y + quiet) * scale + line) * width + (x + quiet) * scale
                image[start : start + scale] = bytes(scale)
    file = folder / "code.pgm"
    file.write_bytes(f"P5\n{width} {height}\n255\n".encode() + image)
    options = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]
    return subprocess.run([program, *options, file], capture_output=True, check=True).stdout[:-1]


@pytest.mark.parametrize("version", range(1, 21))
def test_each_version_is_read_back_when_it_is_full(version: int, tmp_path: Path) -> None:
    letters = random.Random(version)  # noqa: S311  # no secret
    length = _CAPACITIES[version - 1]
    text = "".join(letters.choice("abcXYZ0189-._~:/?#&=%") for _ in range(length)).encode()

    modules = qr.encode(text)

    assert len(modules) == 17 + 4 * version
    assert read_qr(modules, tmp_path) == text


def test_what_is_one_byte_longer_takes_the_next_version() -> None:
    assert len(qr.encode(b"x" * 17)) == 21
    assert len(qr.encode(b"x" * 18)) == 25


def test_what_is_too_long_is_an_error() -> None:
    with pytest.raises(ValueError, match="too long"):
        qr.encode(b"x" * 859)


def test_it_is_drawn_black_on_white_whatever_the_terminals_colours() -> None:
    lines = qr.render(qr.encode(b"https://issuer.test")).splitlines()

    assert all(line.startswith("\x1b[30;107m") and line.endswith("\x1b[0m") for line in lines)
    assert len({len(line) for line in lines}) == 1
