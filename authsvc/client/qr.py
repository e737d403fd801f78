"""A QR code of a URL, for the terminal (ISO/IEC 18004).

Byte mode, error correction level L (a screen has no stains), versions 1 to 20:
up to 858 bytes. ``encode`` gives the modules, ``render`` the characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product

Modules = list[list[bool]]

# For versions 1 to 20 at level L: error correction codewords in each block, number of blocks.
_CHECK = (7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28)
_BLOCKS = (1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8)
_LEVEL_L = 0b01
_QUIET = 2  # modules around it; four are prescribed, two are enough for every reader on a screen

_MASKS: tuple[Callable[[int, int], bool], ...] = (
    lambda x, y: (x + y) % 2 == 0,
    lambda _, y: y % 2 == 0,
    lambda x, _: x % 3 == 0,
    lambda x, y: (x + y) % 3 == 0,
    lambda x, y: (x // 3 + y // 2) % 2 == 0,
    lambda x, y: x * y % 2 + x * y % 3 == 0,
    lambda x, y: (x * y % 2 + x * y % 3) % 2 == 0,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2 == 0,
)


def encode(data: bytes) -> Modules:
    """Return the code's modules by row, True for dark, without a quiet zone.

    Raises:
        ValueError: the data is longer than version 20 holds.
    """
    version = _version(len(data))
    symbol = _Symbol(version)
    symbol.draw(_interleave(_codewords(data, version), version))
    return min((symbol.masked(mask) for mask in range(8)), key=_penalty)


def width(modules: Modules) -> int:
    """Return how many columns of a terminal the code takes."""
    return len(modules) + 2 * _QUIET


def render(modules: Modules) -> str:
    """Return the code as lines of half blocks, black on white whatever the terminal's colours."""
    light_row = [False] * width(modules)
    side = [False] * _QUIET
    rows = [light_row] * _QUIET + [side + row + side for row in modules] + [light_row] * _QUIET
    rows += [light_row] * (len(rows) % 2)
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = "".join(" ▄▀█"[2 * above + below] for above, below in zip(upper, lower, strict=True))
        lines.append(f"\x1b[30;107m{line}\x1b[0m")
    return "\n".join(lines)


def _version(length: int) -> int:
    for version in range(1, len(_CHECK) + 1):
        if 4 + _length_bits(version) + 8 * length <= 8 * _data_codewords(version):
            return version
    raise ValueError("too long for a QR code")


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _raw_codewords(version: int) -> int:
    """Codewords that fit beside the patterns (ISO/IEC 18004 table 1, as a formula)."""
    modules = (16 * version + 128) * version + 64
    if version >= 2:
        alignments = version // 7 + 2
        modules -= (25 * alignments - 10) * alignments - 55
    if version >= 7:
        modules -= 36
    return modules // 8


def _data_codewords(version: int) -> int:
    return _raw_codewords(version) - _CHECK[version - 1] * _BLOCKS[version - 1]


def _codewords(data: bytes, version: int) -> bytes:
    bits = f"0100{len(data):0{_length_bits(version)}b}" + "".join(f"{byte:08b}" for byte in data)
    capacity = 8 * _data_codewords(version)
    bits += "0" * min(4, capacity - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    missing = capacity // 8 - len(words)
    return words + (b"\xec\x11" * missing)[:missing]


def _interleave(data: bytes, version: int) -> bytes:
    count, check = _BLOCKS[version - 1], _CHECK[version - 1]
    short, longer = divmod(len(data), count)
    blocks, at = [], 0
    for number in range(count):
        length = short + (number >= count - longer)
        blocks.append(data[at : at + length])
        at += length
    divisor = _generator(check)
    checks = [_remainder(block, divisor) for block in blocks]
    words = [block[at] for at in range(short + 1) for block in blocks if at < len(block)]
    words += [block[at] for at in range(check) for block in checks]
    return bytes(words)


def _multiply(a: int, b: int) -> int:
    """Multiply in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return result


def _generator(degree: int) -> list[int]:
    """Return the Reed-Solomon generator polynomial, without its leading 1."""
    coefficients = [0] * (degree - 1) + [1]
    root = 1
    for _ in range(degree):
        shifted = [*coefficients[1:], 0]
        coefficients = [
            _multiply(one, root) ^ other for one, other in zip(coefficients, shifted, strict=True)
        ]
        root = _multiply(root, 2)
    return coefficients


def _remainder(data: bytes, divisor: Sequence[int]) -> list[int]:
    result = [0] * len(divisor)
    for byte in data:
        factor = byte ^ result[0]
        result = [
            one ^ _multiply(coefficient, factor)
            for one, coefficient in zip([*result[1:], 0], divisor, strict=True)
        ]
    return result


class _Symbol:
    """A symbol being drawn: what is fixed, and what data and mask fill."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = 17 + 4 * version
        self.dark: Modules = [[False] * self.size for _ in range(self.size)]
        self.fixed: Modules = [[False] * self.size for _ in range(self.size)]
        self._draw_patterns()

    def draw(self, words: bytes) -> None:
        """Lay the codewords' bits in the zigzag of two columns, from the lower right."""
        bits = (bool(word >> shift & 1) for word in words for shift in range(7, -1, -1))
        for x, y in self._free():
            self.dark[y][x] = next(bits, False)

    def masked(self, mask: int) -> Modules:
        """Return the finished symbol under one of the eight masks."""
        flips = _MASKS[mask]
        self._draw_format(_LEVEL_L << 3 | mask)
        return [
            [dark != (not fixed and flips(x, y)) for x, (dark, fixed) in enumerate(zip(*row))]  # noqa: B905  # of equal length by construction
            for y, row in enumerate(zip(self.dark, self.fixed, strict=True))
        ]

    def _free(self) -> Iterator[tuple[int, int]]:
        columns = [*range(self.size - 1, 7, -2), 5, 3, 1]
        for number, right in enumerate(columns):
            upward = number % 2 == 0
            for step in range(self.size):
                y = self.size - 1 - step if upward else step
                for x in (right, right - 1):
                    if not self.fixed[y][x]:
                        yield x, y

    def _set(self, x: int, y: int, dark: bool) -> None:
        self.dark[y][x] = dark
        self.fixed[y][x] = True

    def _draw_patterns(self) -> None:
        for at in range(self.size):
            self._set(6, at, at % 2 == 0)
            self._set(at, 6, at % 2 == 0)
        for x, y in ((3, 3), (self.size - 4, 3), (3, self.size - 4)):
            self._draw_finder(x, y)
        under_finders = ((6, 6), (6, self.size - 7), (self.size - 7, 6))
        for centre in product(self._alignments(), repeat=2):
            if centre not in under_finders:
                self._draw_alignment(*centre)
        self._draw_format(0)
        if self.version >= 7:
            self._draw_version()

    def _alignments(self) -> list[int]:
        if self.version == 1:
            return []
        count = self.version // 7 + 2
        step = (self.version * 4 + count * 2 + 1) // (count * 2 - 2) * 2
        return [6, *(self.size - 7 - step * number for number in range(count - 1))]

    def _draw_finder(self, centre_x: int, centre_y: int) -> None:
        for y in range(max(0, centre_y - 4), min(self.size, centre_y + 5)):
            for x in range(max(0, centre_x - 4), min(self.size, centre_x + 5)):
                self._set(x, y, max(abs(x - centre_x), abs(y - centre_y)) not in (2, 4))

    def _draw_alignment(self, centre_x: int, centre_y: int) -> None:
        for y in range(-2, 3):
            for x in range(-2, 3):
                self._set(centre_x + x, centre_y + y, max(abs(x), abs(y)) != 1)

    def _draw_format(self, value: int) -> None:
        """Draw level and mask twice, with their BCH code (ISO/IEC 18004, 7.9)."""
        bits = (value << 10 | _bch(value, 10, 0x537)) ^ 0x5412
        last = self.size - 1
        around = [(8, y) for y in (0, 1, 2, 3, 4, 5, 7, 8)] + [
            (x, 8) for x in (7, 5, 4, 3, 2, 1, 0)
        ]
        apart = [(last - x, 8) for x in range(8)] + [(8, last - y) for y in range(6, -1, -1)]
        for bit in range(15):
            dark = bool(bits >> bit & 1)
            self._set(*around[bit], dark)
            self._set(*apart[bit], dark)
        self._set(8, self.size - 8, dark=True)

    def _draw_version(self) -> None:
        bits = self.version << 12 | _bch(self.version, 12, 0x1F25)
        for bit in range(18):
            dark = bool(bits >> bit & 1)
            far, near = self.size - 11 + bit % 3, bit // 3
            self._set(far, near, dark)
            self._set(near, far, dark)


def _bch(value: int, degree: int, generator: int) -> int:
    remainder = value
    for _ in range(degree):
        remainder = remainder << 1 ^ (remainder >> degree - 1) * generator
    return remainder


def _penalty(modules: Modules) -> int:
    """Rate how hard a symbol is to read (ISO/IEC 18004, 7.8.3): runs, blocks, finders, balance."""
    rows = ["".join("01"[dark] for dark in row) for row in modules]
    lines = rows + ["".join(column) for column in zip(*rows, strict=True)]
    total = 0
    for line in lines:
        for run in line.replace("01", "0 1").replace("10", "1 0").split():
            total += len(run) - 2 if len(run) >= 5 else 0
        total += 40 * (line.count("10111010000") + line.count("00001011101"))
    for upper, lower in pairwise(rows):
        for x in range(len(rows) - 1):
            total += 3 * (len({upper[x], upper[x + 1], lower[x], lower[x + 1]}) == 1)
    dark = sum(row.count("1") for row in rows)
    return total + 10 * int(abs(dark * 20 / len(rows) ** 2 - 10))
