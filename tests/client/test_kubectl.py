"""The kubeconfig that is written: by nobody else's hand, and through nobody else's link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authsvc.client.errors import ClientError
from authsvc.client.kubectl import Kubectl, merge


def test_a_link_that_somebody_puts_beside_a_kubeconfig_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, elsewhere = tmp_path / "config", tmp_path / "elsewhere"
    beside = tmp_path / "config.authsvc-new"
    elsewhere.write_text("as it was")
    unlink = Path.unlink

    def unlink_and_lose_the_race(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path == beside:
            beside.symlink_to(elsewhere)

    monkeypatch.setattr(Path, "unlink", unlink_and_lose_the_race)

    with pytest.raises(ClientError, match="cannot write"):
        merge(Kubectl(os.environ), {"apiVersion": "v1", "kind": "Config"}, file)

    assert elsewhere.read_text() == "as it was"
    assert not file.exists()
    assert not (tmp_path / "config.lock").exists()
