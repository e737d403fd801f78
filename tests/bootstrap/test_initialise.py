"""The whole folder: what a first run writes and what a second leaves alone."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest
import yaml

from authsvc.authn.static import StaticTokenAuthenticator
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.bootstrap import Initialised, Outcome, Target, Wanted, initialise, starter
from authsvc.bootstrap.pki import CA_LIFETIME, CA_RENEW_BEFORE, LIFETIME, RENEW_BEFORE
from authsvc.config import load
from authsvc.errors import ConfigError
from authsvc.policy.starter import starter_policy
from tests.bootstrap.conftest import NOW


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def changed(result: Initialised) -> set[str]:
    return {
        str(each.path.relative_to(result.site.folder))
        for each in result.written
        if each.outcome is not Outcome.KEPT
    }


def edit(site: Path, old: str = "", new: str = "") -> None:
    """Make the configuration the administrator's own."""
    file = site / "authsvc.yaml"
    file.write_text(file.read_text().replace(old, new) + "# mine\n")


def test_the_names_that_others_rely_on_are_there(site: Path) -> None:
    assert {path.name for path in site.iterdir()} == {
        *("authsvc.yaml", "tokens.csv", "policy", "pki", "apiserver"),
    }
    assert {path.name for path in (site / "apiserver").iterdir()} == {
        *("authentication.kubeconfig", "authorization.kubeconfig"),
        *("authorization-config.yaml", "kube-apiserver.flags"),
    }


@pytest.mark.parametrize("target", list(Target))
def test_a_second_run_changes_not_a_byte(tmp_path: Path, target: Target) -> None:
    wanted = Wanted(hosts=("auth.example.com", "10.0.0.5"), target=target, port=9443)
    initialise(tmp_path, wanted, now=NOW)
    before = contents(tmp_path)

    again = initialise(tmp_path, wanted, now=NOW + timedelta(days=1))

    assert contents(tmp_path) == before
    assert changed(again) == set()


@pytest.mark.parametrize("target", list(Target))
def test_a_second_run_remembers_what_the_first_was_told(tmp_path: Path, target: Target) -> None:
    wanted = Wanted(
        hosts=("auth.example.com", "fd00::5"),
        target=target,
        port=9443,
        node_folder=PurePosixPath("/opt/authsvc"),
    )
    first = initialise(tmp_path, wanted, now=NOW)
    before = contents(tmp_path)

    again = initialise(tmp_path, now=NOW)

    assert contents(tmp_path) == before
    assert (again.site.target, again.site.url) == (target, first.site.url)


def test_a_second_run_remembers_the_host_that_is_asked_not_all_it_ever_had(tmp_path: Path) -> None:
    initialise(tmp_path, Wanted(hosts=("a.example.com", "b.example.com")), now=NOW)
    initialise(tmp_path, Wanted(hosts=("b.example.com",)), now=NOW)

    again = initialise(tmp_path, now=NOW)

    assert again.site.url == "https://b.example.com:8443"
    assert changed(again) == set()


def test_what_the_administrator_changed_is_never_overwritten(site: Path) -> None:
    edited = [
        "authsvc.yaml",
        "tokens.csv",
        "policy/bindings.csv",
        "apiserver/authorization.kubeconfig",
    ]
    for name in edited:
        with (site / name).open("a") as file:
            file.write("# mine\n")
    (site / "policy/roles.csv").unlink()
    edit(site, "127.0.0.1:8443", "0.0.0.0:8443")
    before = contents(site)

    again = initialise(site, Wanted(hosts=("auth.example.com",)), now=NOW)

    after = contents(site)
    assert {name: after[name] for name in edited} == {name: before[name] for name in edited}
    assert "policy/roles.csv" not in after
    notes = {str(each.path.relative_to(site)): each.note for each in again.written if each.note}
    assert notes["apiserver/authorization.kubeconfig"] == "edited by hand"


@pytest.mark.parametrize(
    ("wanted", "bind"),
    [
        (Wanted(port=9443), "127.0.0.1:9443"),
        (Wanted(hosts=("10.0.0.5",)), "0.0.0.0:8443"),
    ],
)
def test_a_configuration_that_nobody_edited_listens_where_the_api_server_will_ask(
    site: Path, wanted: Wanted, bind: str
) -> None:
    again = initialise(site, wanted, now=NOW)

    assert "authsvc.yaml" in changed(again)
    assert load(site / "authsvc.yaml").server.bind == bind


def test_one_of_another_release_that_listens_as_it_should_stays(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "configuration", lambda _: "# of the next release\n")

    assert changed(initialise(site, now=NOW)) == set()


@pytest.mark.parametrize("wanted", [Wanted(port=9443), Wanted(hosts=("10.0.0.5",))])
def test_nothing_is_changed_where_an_edited_configuration_would_not_be_asked(
    site: Path, wanted: Wanted
) -> None:
    edit(site)
    before = contents(site)

    with pytest.raises(ConfigError) as refused:
        initialise(site, wanted, now=NOW)

    assert contents(site) == before
    assert refused.value.path == str(site / "authsvc.yaml")
    assert "it listens on 127.0.0.1:8443, but the API server will ask https://" in str(
        refused.value
    )


def test_a_load_balancer_in_between_is_noted_and_hinders_no_renewal(site: Path) -> None:
    initialise(site, Wanted(hosts=("10.0.0.5",), port=443), now=NOW)
    edit(site, "0.0.0.0:443", "0.0.0.0:8443")

    again = initialise(site, now=NOW + LIFETIME)

    (note,) = [each.note for each in again.written if each.path.name == "authsvc.yaml"]
    assert note == (
        "yours; it listens on 0.0.0.0:8443, but the API server will ask https://10.0.0.5:443"
    )
    assert "pki/server.crt" in changed(again)


@pytest.mark.parametrize(("days", "renewed"), [(31, False), (29, True)])
def test_certificates_are_renewed_within_thirty_days_of_their_end(
    site: Path, days: int, renewed: bool
) -> None:
    before = contents(site)

    again = initialise(site, now=NOW + LIFETIME - timedelta(days=days))

    due = {
        *("pki/server.crt", "pki/server.key"),
        *("pki/apiserver-client.crt", "pki/apiserver-client.key"),
    }
    assert changed(again) == (due if renewed else set())
    assert {name for name, content in contents(site).items() if before[name] != content} == changed(
        again
    )


def test_renewed_certificates_are_not_due_again(site: Path) -> None:
    later = NOW + LIFETIME - RENEW_BEFORE
    initialise(site, now=later)

    assert changed(initialise(site, now=later)) == set()


def test_a_new_host_renews_the_servers_certificate_alone(site: Path) -> None:
    again = initialise(site, Wanted(hosts=("auth.example.com",)), now=NOW)

    assert {name for name in changed(again) if name.startswith("pki/")} == {
        *("pki/server.crt", "pki/server.key"),
    }


def test_secrets_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        initialise(tmp_path / "authsvc", now=NOW)
    finally:
        os.umask(previous)

    folder = tmp_path / "authsvc"
    modes = {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }
    secret = {name for name in modes if name.endswith(".key") or name == "tokens.csv"}
    assert len(secret) == 4
    assert {modes[name] for name in secret} == {0o600}
    assert {mode for name, mode in modes.items() if (folder / name).is_dir()} == {0o750}
    assert not any(mode & 0o022 for mode in modes.values())


def test_a_key_that_others_could_read_is_closed_to_them(site: Path) -> None:
    key = site / "pki/server.key"
    key.chmod(0o644)

    again = initialise(site, now=NOW)

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert changed(again) == {"pki/server.key"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root fills the folder of someone else")
def test_files_that_root_writes_belong_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    folder = tmp_path / "authsvc"
    folder.mkdir()
    os.chown(folder, 65532, 65533)

    initialise(folder, Wanted(target=Target.KUBEADM), now=NOW)

    others = set(folder.rglob("*")) - {folder / "pki/ca.key"}
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in others}
    assert owners == {(65532, 65533)}
    pod = yaml.safe_load((folder / "static-pod/authsvc.yaml").read_text())
    assert pod["spec"]["securityContext"]["runAsUser"] == 65532


@pytest.mark.skipif(os.geteuid() != 0, reason="only root fills the folder of someone else")
@pytest.mark.parametrize(
    ("target", "owner"),
    [(Target.KUBEADM, 0), (Target.KIND, 0), (Target.K3S, 65532), (Target.PLAIN, 65532)],
)
def test_the_key_of_the_ca_is_for_whoever_renews(
    tmp_path: Path, target: Target, owner: int
) -> None:
    # A pod renews nothing; beside a service authsvc-renew.service does, as the service's user.
    folder = tmp_path / "authsvc"
    folder.mkdir()
    os.chown(folder, 65532, 65533)

    initialise(folder, Wanted(target=target), now=NOW)

    status = (folder / "pki/ca.key").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (owner, 0o600)
    initialise(folder, now=NOW + CA_LIFETIME - CA_RENEW_BEFORE)
    assert (folder / "pki/ca.key").stat().st_uid == owner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root fills the folder of someone else")
def test_the_key_of_a_ca_stays_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "authsvc"
    folder.mkdir()
    os.chown(folder, 65532, 65533)
    initialise(folder, Wanted(target=Target.KUBEADM), now=NOW)
    before = (folder / "pki/ca.key").read_bytes()
    os.chown(folder / "pki/ca.key", 65532, 65533)

    initialise(folder, now=NOW + CA_LIFETIME - CA_RENEW_BEFORE)

    assert (folder / "pki/ca.key").read_bytes() != before
    assert (folder / "pki/ca.key").stat().st_uid == 65532


def test_the_configuration_is_one_that_the_service_takes(site: Path) -> None:
    configuration = load(site / "authsvc.yaml")

    assert configuration.server.bind == "127.0.0.1:8443"
    assert configuration.server.tls is not None
    assert configuration.server.tls.allowed_client_names == {"kube-apiserver-authsvc-client"}
    assert configuration.authorization.policy_folder == site / "policy"


@pytest.mark.parametrize(
    ("hosts", "bind"),
    [
        ((), "127.0.0.1:8443"),
        (("127.0.0.1", "localhost"), "127.0.0.1:8443"),
        (("10.0.0.5",), "0.0.0.0:8443"),
        (("fd00::5",), "[::]:8443"),
    ],
)
def test_the_service_listens_where_its_hosts_are(
    tmp_path: Path, hosts: tuple[str, ...], bind: str
) -> None:
    initialise(tmp_path, Wanted(hosts=hosts), now=NOW)

    assert load(tmp_path / "authsvc.yaml").server.bind == bind


def test_the_table_of_tokens_is_well_formed_and_lets_nobody_in(site: Path) -> None:
    authenticator = StaticTokenAuthenticator(StaticTokensSettings(site / "tokens.csv"))

    table = authenticator.table.load()

    assert table == {}


def test_the_policy_is_the_starter_policy_that_comes_with_authsvc(site: Path) -> None:
    written = {path.name: path.read_text() for path in (site / "policy").iterdir()}

    assert written == starter_policy()


@pytest.mark.parametrize("host", ["https://a", "a:8443", "a b", "", "-a.example", "*.example.com"])
def test_what_is_no_host_is_refused_before_anything_is_written(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"--host: .* neither a DNS name nor an IP address"):
        initialise(tmp_path / "new", Wanted(hosts=(host,)), now=NOW)

    assert contents(tmp_path) == {}


def test_a_folder_that_cannot_be_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"file/authsvc: not a directory"):
        initialise(tmp_path / "file/authsvc", now=NOW)


def test_what_the_system_refuses_is_an_error_with_its_path_wherever_it_is_refused(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything, and tests may be run by root: so the refusal is made here.
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)

    with pytest.raises(ConfigError, match=r"authsvc/.*: permission denied"):
        initialise(site, now=NOW)


def test_a_symbolic_link_in_place_of_a_folder_is_not_written_through(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "authsvc"
    folder.mkdir()
    (folder / "pki").symlink_to(elsewhere)

    with pytest.raises(ConfigError, match="symbolic link"):
        initialise(folder, now=NOW)

    assert contents(elsewhere) == {}
