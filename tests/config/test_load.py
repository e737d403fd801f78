"""A configuration file into settings: defaults, conversions, and every fault with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.config import KIND, load, v1alpha1
from authsvc.config.model import Configuration, Mode, NamedAuthenticator
from authsvc.errors import InvalidConfigurationError
from authsvc.store.sqlite import SQLiteSettings, SQLiteStore

HEADER = {"apiVersion": v1alpha1.API_VERSION, "kind": KIND}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tokens.csv", "server.crt", "server.key", "ca.crt", "model.conf"):
        (tmp_path / name).write_text("# something to read\n")
    (tmp_path / "policy").mkdir()
    return tmp_path


def write(folder: Path, document: object) -> Path:
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def loaded(folder: Path, document: Mapping[str, Any]) -> Configuration:
    return load(write(folder, {**HEADER, **document}))


def errors(folder: Path, document: Mapping[str, Any]) -> list[str]:
    with pytest.raises(InvalidConfigurationError) as caught:
        loaded(folder, document)
    return [str(error).replace(str(folder), "FOLDER") for error in caught.value.errors]


def test_a_file_that_says_nothing_has_every_default(folder: Path) -> None:
    configuration = loaded(folder, {})
    server = configuration.server
    assert (server.bind, server.tls, server.probes_bind) == ("127.0.0.1:8443", None, None)
    assert (server.workers, server.threads, server.keep_alive) == (2, 64, 120)
    assert (server.header_timeout, server.body_timeout, server.stop_timeout) == (10, 10, 10)
    assert (server.max_body, server.max_connections) == (3 * 1024 * 1024, 20_000)
    assert configuration.authentication.authenticators == ()
    assert configuration.authentication.cache.ttl == 60
    assert configuration.authorization.mode is Mode.ENFORCE
    assert configuration.authorization.policy_folder is None
    assert configuration.logging.decisions == "stdout"


def test_files_are_relative_to_the_configuration_and_absolute_afterwards(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    write(
        folder,
        {
            **HEADER,
            "server": {
                "tls": {
                    "certFile": "server.crt",
                    "keyFile": "server.key",
                    "clientCAFile": "ca.crt",
                    "allowedClientNames": ["kube-apiserver"],
                    "minVersion": "VersionTLS13",
                }
            },
            "authentication": {
                "authenticators": [
                    {"name": "t", "type": "StaticTokens", "staticTokens": {"file": "tokens.csv"}}
                ]
            },
            "authorization": {"policy": {"folder": "policy", "model": "model.conf"}},
            "logging": {"decisions": "decisions.jsonl"},
        },
    )
    configuration = load(Path(folder.name) / "authsvc.yaml")
    tls = configuration.server.tls
    assert tls is not None
    assert (tls.cert_file, tls.client_ca_file) == (folder / "server.crt", folder / "ca.crt")
    assert tls.allowed_client_names == {"kube-apiserver"}
    assert configuration.authentication.authenticators == (
        NamedAuthenticator("t", StaticTokensSettings(folder / "tokens.csv")),
    )
    assert configuration.authorization.policy_folder == folder / "policy"
    assert configuration.authorization.model == folder / "model.conf"
    assert configuration.logging.decisions == folder / "decisions.jsonl"


VERSION_WANTED = f"apiVersion: expected {v1alpha1.API_VERSION}, got "
KIND_WANTED = f"kind: expected {KIND}, got "


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, [f"{VERSION_WANTED}nothing", f"{KIND_WANTED}nothing"]),
        (
            {"apiVersion": "config.authsvc.io/v9", "kind": KIND},
            [f"{VERSION_WANTED}'config.authsvc.io/v9'"],
        ),
        ({"apiVersion": v1alpha1.API_VERSION}, [f"{KIND_WANTED}nothing"]),
        ({"apiVersion": v1alpha1.API_VERSION, "kind": "Other"}, [f"{KIND_WANTED}'Other'"]),
        ({"apiVersion": [1], "kind": KIND}, [f"{VERSION_WANTED}[1]"]),
        ({"apiVersion": None, "kind": KIND}, [f"{VERSION_WANTED}None"]),
    ],
)
def test_another_kind_or_version_is_refused_by_the_names_of_the_right_ones(
    folder: Path, document: object, expected: list[str]
) -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        load(write(folder, document))

    assert [str(error) for error in refused.value.errors] == expected


@pytest.mark.parametrize("document", [[], "text", 7])
def test_what_is_no_mapping_is_refused(folder: Path, document: object) -> None:
    with pytest.raises(InvalidConfigurationError, match="expected a mapping"):
        load(write(folder, document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": empty; `authsvc init` writes a first one"),
        ("# nothing yet\n", ": empty; `authsvc init` writes a first one"),
        ("a: 1\n---\nb: 2\n", ":2: a second document begins here: a file holds one"),
    ],
)
def test_a_file_holds_one_document(folder: Path, text: str, message: str) -> None:
    file = folder / "authsvc.yaml"
    file.write_text(text)

    with pytest.raises(InvalidConfigurationError) as refused:
        load(file)

    assert str(refused.value) == f"{file}{message}"


def test_faults_of_form_and_of_meaning_are_found_together(folder: Path) -> None:
    found = errors(
        folder,
        {
            "server": {"bind": "0.0.0.0:8443", "keepAlive": "90s", "bodyTimeout": "0s", "port": 1},
            "authentication": {
                "authenticators": [
                    {"name": "T", "type": "StaticTokens", "staticTokens": {"file": "tokens.csv"}},
                    {"name": "t", "type": "StaticTokens"},
                    {"name": "t", "type": "StaticTokens", "staticTokens": {"file": "none"}},
                    {"name": "u", "type": "StaticTokens", "issued": {}},
                    {"name": "v", "type": "StaticTokens", "staticTokens": {"file": 1}},
                ]
            },
            "authorization": {"policy": {"folder": "none", "model": "none"}},
            "logging": {"decisions": "none/decisions.jsonl"},
        },
    )
    assert sorted(found) == [
        (
            "authentication.authenticators[0].name: expected a string matching regex "
            "'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'"
        ),
        "authentication.authenticators[1].staticTokens: required for type StaticTokens",
        "authentication.authenticators[2].name: 't' is given twice",
        (
            "authentication.authenticators[2].staticTokens.file: FOLDER/none: "
            "no such file or directory"
        ),
        "authentication.authenticators[3].issued: does not belong to type StaticTokens",
        "authentication.authenticators[3].staticTokens: required for type StaticTokens",
        "authentication.authenticators[4].staticTokens.file: expected a string, got a whole number",
        "authorization.policy.folder: FOLDER/none: no such folder",
        "authorization.policy.model: FOLDER/none: no such file or directory",
        "logging.decisions: FOLDER/none: no such folder",
        "server.bodyTimeout: must be over 0s",
        "server.keepAlive: must be over 90s, the time the API server keeps an idle connection",
        "server.port: unknown field",
        "server.tls: required to listen on 0.0.0.0:8443, which is not loopback",
    ]


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "localhost:1"])
def test_without_tls_reviews_are_answered_on_loopback(folder: Path, bind: str) -> None:
    assert loaded(folder, {"server": {"bind": bind}}).server.bind == bind


@pytest.mark.parametrize("bind", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "authsvc:1"])
def test_and_nowhere_else(folder: Path, bind: str) -> None:
    assert errors(folder, {"server": {"bind": bind}}) == [
        f"server.tls: required to listen on {bind}, which is not loopback"
    ]


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:٣"])
@pytest.mark.parametrize("listener", ["bind", "probes"])
def test_an_address_is_a_host_and_a_port(folder: Path, bind: str, listener: str) -> None:
    server = {"bind": bind} if listener == "bind" else {"probes": {"bind": bind}}
    place = "server.bind" if listener == "bind" else "server.probes.bind"
    assert any(
        error.startswith(f"{place}: expected host:port")
        for error in errors(folder, {"server": server})
    )


@pytest.mark.parametrize("bind", [":8443", "*:8443"])
def test_all_interfaces_are_named_as_addresses(folder: Path, bind: str) -> None:
    assert errors(folder, {"server": {"bind": "127.0.0.1:1", "probes": {"bind": bind}}}) == [
        "server.probes.bind: names no host; all interfaces are 0.0.0.0:8443, or [::]:8443 with IPv6"
    ]


@pytest.mark.parametrize(
    ("bind", "probes"),
    [
        ("127.0.0.1:8443", "127.0.0.1:8443"),
        ("127.0.0.1:8443", "0.0.0.0:8443"),
        ("[::1]:8443", "[::]:8443"),
    ],
)
def test_probes_do_not_take_the_port_of_the_reviews(folder: Path, bind: str, probes: str) -> None:
    assert errors(folder, {"server": {"bind": bind, "probes": {"bind": probes}}}) == [
        f"server.probes.bind: takes the port of server.bind, {bind}: give it one of its own"
    ]


@pytest.mark.parametrize(
    ("bind", "probes"),
    [
        ("127.0.0.1:8443", "127.0.0.1:8080"),
        ("127.0.0.1:8443", "127.0.0.2:8443"),
        ("127.0.0.1:0", "127.0.0.1:0"),
    ],
)
def test_and_may_have_another_port_or_another_host(folder: Path, bind: str, probes: str) -> None:
    configuration = loaded(folder, {"server": {"bind": bind, "probes": {"bind": probes}}})

    assert configuration.server.probes_bind == probes


def test_a_store_that_is_no_database_is_refused_and_a_look_leaves_nothing(folder: Path) -> None:
    (folder / "text").write_text("a file of something else\n" * 100)
    (folder / "empty").touch()
    SQLiteStore(SQLiteSettings(folder / "store.db")).purge(0)
    before = sorted(folder.iterdir())

    def store(file: str) -> dict[str, Any]:
        return {"store": {"type": "SQLite", "sqlite": {"file": file}}}

    assert errors(folder, store("policy")) == ["store.sqlite.file: FOLDER/policy: not a file"]
    assert errors(folder, store("text")) == [
        "store.sqlite.file: FOLDER/text: file is not a database"
    ]
    for good in ("store.db", "empty", "none-yet"):
        assert loaded(folder, store(good)).store == SQLiteSettings(folder / good)
    assert sorted({*folder.iterdir()} - {folder / "authsvc.yaml"}) == before


def defaults() -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(v1alpha1.AuthsvcConfiguration())
    return document


def test_the_defaults_spelled_out_mean_the_same_as_nothing(folder: Path) -> None:
    assert loaded(folder, defaults()) == loaded(folder, {})


def test_every_default_is_of_the_schema() -> None:
    schema = msgspec.json.schema(v1alpha1.AuthsvcConfiguration)

    def check(document: object, definition: Mapping[str, Any]) -> None:
        definition = (
            schema["$defs"][definition["$ref"].rpartition("/")[2]]
            if "$ref" in definition
            else definition
        )
        if isinstance(document, dict) and "properties" in definition:
            assert document.keys() <= definition["properties"].keys()
            assert definition["additionalProperties"] is False
            for name, value in document.items():
                check(value, definition["properties"][name])

    check(defaults(), {"$ref": schema["$ref"]})


def test_the_schema_is_json() -> None:
    assert json.dumps(msgspec.json.schema(v1alpha1.AuthsvcConfiguration))


def test_a_configuration_is_read_without_what_it_configures() -> None:
    code = (
        "import sys, authsvc.config\n"
        "heavy = 'casbin cryptography flask httpcore joserfc ldap3'\n"
        "print([name for name in heavy.split() if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
