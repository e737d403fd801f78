#!/usr/bin/env python3
"""Build the kubectl plugin as one file, and what krew installs it from.

    python3 deploy/krew/build.py [--output FOLDER] [--url URL-OF-THE-ARCHIVE]

FOLDER (default: dist) gets
    kubectl-authsvc          the program: a zip of Python modules that runs by itself
    kubectl-authsvc.tar.gz   the same with the licence, as krew takes it
    authsvc.yaml             the krew manifest, where --url says where the archive will be

The same sources and the same Python make the same bytes. The modules are
compiled by the Python that runs this; another version compiles them itself at
each start, which costs it some milliseconds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import py_compile
import re
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "kubectl-authsvc"

# -I -S: neither the surroundings nor installed packages change what runs, and
# half of the start is saved. env -S is known to Linux' and macOS' env.
SHEBANG = b"#!/usr/bin/env -S python3 -I -S\n"

MAIN = b"""\
import sys

if sys.version_info < (3, 11):
    sys.exit("kubectl-authsvc: needs Python 3.11 or newer as python3, this is %d.%d"
             % sys.version_info[:2])

from authsvc.client.entry import main

sys.exit(main())
"""


def program() -> bytes:
    """Return the single-file program."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", MAIN)
        package = ROOT / "authsvc"
        for file in [package / "__init__.py", *sorted((package / "client").rglob("*.py"))]:
            name = file.relative_to(ROOT).as_posix()
            _add(archive, name, file.read_bytes())
            _add(archive, f"{name}c", _compiled(file, name))
    return SHEBANG + content.getvalue()


def archive(single_file: bytes) -> bytes:
    """Return the archive with the program and its licence."""
    content = io.BytesIO()
    compressed = gzip.GzipFile(fileobj=content, mode="wb", mtime=0)
    with compressed, tarfile.open(fileobj=compressed, mode="w") as archive:
        licence = (ROOT / "LICENSE").read_bytes()
        for name, data, mode in ((NAME, single_file, 0o755), ("LICENSE", licence, 0o644)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def manifest(url: str, sha256: str) -> str:
    """Return the krew manifest for an archive at ``url``."""
    template = (ROOT / "deploy" / "krew" / "authsvc.yaml").read_text("utf-8")
    source = (ROOT / "authsvc" / "__init__.py").read_text("utf-8")
    version = re.search(r'__version__ = "(.+)"', source)
    if version is None:
        raise SystemExit("authsvc/__init__.py names no __version__")
    for placeholder, value in (("VERSION", version[1]), ("URL", url), ("SHA256", sha256)):
        template = template.replace("${%s}" % placeholder, value)  # noqa: UP031  # braces
    return template


def main() -> None:
    """Build all of it."""
    parser = argparse.ArgumentParser(description="Build the kubectl plugin as one file.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--url", help="where the archive will be: writes the krew manifest")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    single_file = program()
    packed = archive(single_file)
    files = {NAME: single_file, f"{NAME}.tar.gz": packed}
    if options.url:
        digest = hashlib.sha256(packed).hexdigest()
        files["authsvc.yaml"] = manifest(options.url, digest).encode()
    for name, data in files.items():
        (options.output / name).write_bytes(data)
        print(options.output / name)
    (options.output / NAME).chmod(0o755)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # dated 1980, always


def _compiled(file: Path, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "module.pyc")
        py_compile.compile(
            str(file),
            str(target),
            dfile=name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return target.read_bytes()


if __name__ == "__main__":
    main()
