"""What runs the service outside of a Deployment: systemd, a static pod, an image."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from authsvc import __version__
from authsvc.bootstrap import Site, Target
from authsvc.bootstrap.staticpod import static_pod

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ["authsvc.service", "authsvc-renew.service", "authsvc-renew.timer"]


@pytest.fixture(scope="session")
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    return found or pytest.fail("systemd-analyze is missing: apt-get install systemd")


def test_systemd_takes_the_units(systemd_analyze: str, tmp_path: Path) -> None:
    units = [DEPLOY / "systemd" / name for name in UNITS]
    for unit in units:
        # The program has to exist for this check, and is not installed at its place here.
        text = unit.read_text().replace("/opt/authsvc/bin/authsvc", "/bin/true")
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        [
            *(systemd_analyze, "verify", "--recursive-errors=no", "--man=no"),
            *(tmp_path / name for name in UNITS),
        ],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [name for name in UNITS if name.endswith(".service")])
def test_systemd_finds_the_units_hardly_exposed(systemd_analyze: str, unit: str) -> None:
    # In tenths: 1.5 of 10; 9.6 is what a unit without any such line has.
    done = subprocess.run(
        [
            *(systemd_analyze, "security", "--offline=true", "--threshold=15", "--no-pager"),
            DEPLOY / "systemd" / unit,
        ],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


def test_the_static_pod_is_what_init_writes_for_its_usual_place() -> None:
    place = "/etc/kubernetes/authsvc"
    site = Site(Target.KUBEADM, (), 8443, Path(place), PurePosixPath(place), (60843, 60843))

    assert (DEPLOY / "static-pod/authsvc.yaml").read_text() == static_pod(site)


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def test_the_image_runs_as_a_number_that_is_not_root_and_leaves_its_compiler_behind() -> None:
    found = instructions()

    stages = [index for index, (name, _) in enumerate(found) if name == "FROM"]
    last = found[stages[-1] :]
    assert len(stages) == 2
    assert ("USER", "60843:60843") in last
    assert [value for name, value in last if name in {"RUN", "ADD"}] == []
    assert "slim" in last[0][1]
    # Kubernetes probes it.
    assert "HEALTHCHECK" not in dict(found)


def test_all_run_as_one_user_whom_no_other_image_has() -> None:
    (image,) = re.findall(r"^USER (\d+):\1$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    manifests = [DEPLOY / "static-pod/authsvc.yaml", DEPLOY / "kustomize/base/deployment.yaml"]
    numbers = {
        number
        for manifest in manifests
        for number in re.findall(r"(?:runAs\w+|fsGroup): (\d+)", manifest.read_text())
    }
    numbers |= set(re.findall(r"-o (\d+) -g|chown (\d+):", (DEPLOY / "README.md").read_text())[0])

    assert numbers - {""} == {image}
    assert image != "65532"  # distroless' nonroot, CoreDNS' among others


def test_what_the_image_is_built_from_is_there_and_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    sources = [
        source
        for name, value in instructions()
        if name == "COPY" and "--from" not in value
        for source in value.split()[:-1]
    ]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_every_file_names_the_image_of_this_version() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    tags = {
        tag
        for path in files
        for tag in re.findall(r"authsvc:(\d[\w.]*)|newTag: (\S+)", path.read_text())
        for tag in tag
        if tag
    }

    assert tags == {__version__}
