"""The reader: every fault with its place, all at once, and nothing skipped."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authsvc import policy
from authsvc.errors import InvalidPolicyError
from authsvc.policy import Grant, Rule, reader
from authsvc.policy.folder import Source

GOOD = "p, user:a, *, pods, *, get, allow\n"


def faults(text: str | bytes, tmp_path: Path) -> list[str]:
    """The faults of one file, as ``line: message``."""
    file = tmp_path / "bad.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidPolicyError) as raised:
        policy.read(file)
    assert {error.file for error in raised.value.errors} == {str(file)}
    return [f"{error.line}: {error.message}" for error in raised.value.errors]


def test_rows_keep_their_cells_and_their_places(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "b.csv").write_text(
        "# comment\n\ng, group:a, role:r, ns, , 2026-11-24T02:00:00Z\n"
        'p, "user:CN=judy,OU=""P""", prod*|x, secrets, *, *, deny, "label:team in (a,b)"\n'
    )
    (folder / "a.csv").write_text("  p ,role:r,*,pods|services,a,get|list,allow\n")

    rows = policy.read(folder)

    assert list(rows.rules) == [
        Rule("policy/a.csv", 1, "role:r", "*", "pods|services", "a", "get|list", "allow"),
        Rule(
            *("policy/b.csv", 4, 'user:CN=judy,OU="P"', "prod*|x", "secrets", "*", "*", "deny"),
            "label:team in (a,b)",
        ),
    ]
    assert list(rows.grants) == [
        Grant("policy/b.csv", 3, "group:a", "role:r", "ns", "", "2026-11-24T02:00:00Z")
    ]
    assert rows.rules[-1].place == "policy/b.csv:4"
    assert rows.rules[0:1] == [rows.rules[0]]
    assert rows.files == ("policy/a.csv", "policy/b.csv")


def test_all_faults_of_all_files_are_reported_at_once_in_order(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x, y\ng, user:a, role:never-defined, *\n" + GOOD + "p, a\n")
    (tmp_path / "2.csv").write_text("g, user:a, role:nor-this, *\n")

    with pytest.raises(InvalidPolicyError) as raised:
        policy.read(tmp_path)

    places = [(Path(error.file).name, error.line) for error in raised.value.errors]
    assert places == [("1.csv", 1), ("1.csv", 2), ("1.csv", 4), ("2.csv", 1)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("q, a", "unknown row type 'q'"),
        ("P, user:a, *, pods, *, get, allow", "unknown row type 'P'"),
        ("p, user:a, *, pods, *, get", "6 cells"),
        ("p, user:a, *, pods, *, get, allow, , x", "9 cells"),
        ("g, user:a, role:r", "3 cells"),
        ("p, user:a, *, pods, *, get, Deny", "effect must be allow or deny, not 'Deny'; did you"),
        ("p, user:a, *, pods, *, get, allow # why", "a comment after a row"),
        ("g, user:a, role:r, ns # why", "a comment after a row"),
        ("p, alice, *, pods, *, get, allow", "who must begin with user:"),
        ("p, User:alice, *, pods, *, get, allow", "did you mean user:?"),
        ("p, *, *, pods, *, get, allow", "'user:*' is every user"),
        ("p, group:*, *, pods, *, get, allow", "'user:*' is every user"),
        ("p, user:, *, pods, *, get, allow", "who names nobody"),
        ("p, user:dev-*, *, pods, *, get, allow", "no globs hold here"),
        ("p, user:a |group:b, *, pods, *, get, allow", "space before or after"),
        ("p, serviceaccount:ns, *, pods, *, get, allow", "serviceaccount:NAMESPACE:NAME"),
        ("p, user:DOM\\alice, *, pods, *, get, allow", "stray backslash"),
        ("p, user:a, , pods, *, get, allow", "where is empty"),
        ("p, user:a, prod[, pods, *, get, allow", "where has an unmatched '['"),
        ("p, user:a, [z-a], pods, *, get, allow", "range that goes backwards"),
        ("p, user:a, *, pod*, *, get, allow", "no globs hold here"),
        ("p, user:a, *, pods., *, get, allow", "what is not resource[.group][/subresource]"),
        ("p, user:a, *, pods/, *, get, allow", "what is not resource[.group][/subresource]"),
        ("p, user:a, *, pods|/healthz, *, get, allow", "mixes resources and paths"),
        ("p, user:a, ns, /healthz, *, get, allow", "where must be * for a path"),
        ("p, user:a, *, /healthz, a, get, allow", "which must be * for a path"),
        ("p, user:a, *, /healthz, *, get, allow, field:a=b", "a path, which has no selectors"),
        ("p, user:a, *, pods, *, get|, allow", "may has an empty alternative"),
        ("p, user:a, *, pods, *, get, allow, team=a", "when has a condition that cannot be read"),
        ("p, user:a, *, pods, *, get, allow, field:a", "field selectors cannot"),
        ("p, user:a, *, pods, *, get, allow, label:a=b*", "condition that cannot be read"),
        ('p, user:a, *, pods, *, get, deny, "label:a in (b,c*)"', "cannot be read: (b,c*)"),
        ('p, user:a, *, pods, *, get, deny, "label:a notin (b,)"', "cannot be read: (b,)"),
        ("g, user:a, group:r, *", "role must be a role"),
        (
            "g, user:a, edit, *",
            "role must be a role (role:NAME), not 'edit'; did you mean role:edit?",
        ),
        ("g, user:a, role:gone, *", "role:gone is given but no row says what it may"),
        ("g, user:a, role:r, *, 2026-11-24 02:00", "from is not a time"),
        ("g, user:a, role:r, *, , 2026-13-24T02:00:00Z", "until is not a time"),
        ("g, user:a, role:r, *, , 2026-11-24T02:00:00", "until is not a time"),
        ("g, user:a, role:r, *, 2026-11-24T02:00:00Z, 2026-11-24T03:00:00+01:00", "ends before"),
        ("g, role:r, role:r, *", "in a circle: role:r → role:r"),
        ('p, "user:a, *, pods, *, get, allow', "a quote that does not match"),
        ('p, user:"a", *, pods, *, get, allow', "a quote that does not match"),
        ('p, "user:a"x, *, pods, *, get, allow', "a quote that does not match"),
        ("p, user:a\rp, *, pods, *, get, allow", "a lone carriage return"),
        ("p, user:a\x00, *, pods, *, get, allow", "a NUL character at column 10"),
        ("p, user:a" + "," * 1_000_000, "1000002 cells"),
        ("p, " + "x" * 2_000_000, "longer than"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(row: str, said: str, tmp_path: Path) -> None:
    found = faults(
        f"{GOOD}\n{row}\n# role:r is there\np, role:r, *, pods, *, get, allow\n", tmp_path
    )

    assert len(found) == 1
    assert found[0].startswith("3: ")
    assert said in found[0]
    assert len(found[0]) < 300


def test_a_cycle_is_shown(tmp_path: Path) -> None:
    found = faults("g, role:a, role:b, *\ng, role:b, role:c, x\ng, role:c, role:a, y\n", tmp_path)

    assert found == ["3: roles inherit in a circle: role:a → role:b → role:c → role:a"]


def test_a_chain_of_10000_roles_is_read() -> None:
    chain = "".join(f"g, role:{n}, role:{n + 1}, *\n" for n in range(10_000))

    rows = policy.read_text({"a.csv": chain + "p, role:10000, *, pods, *, get, allow\n"})

    assert len(rows.grants) == 10_000


def test_latin_1_is_an_error_with_its_line(tmp_path: Path) -> None:
    assert faults(GOOD.encode() + b"p, user:andr\xe9, *, pods, *, get, allow\n", tmp_path) == [
        "2: not UTF-8: byte 0xe9 at column 13"
    ]


def test_utf_16_is_an_error(tmp_path: Path) -> None:
    assert "not UTF-8" in faults(GOOD.encode("utf-16"), tmp_path)[0]


def test_a_byte_order_mark_and_crlf_lose_no_row() -> None:
    text = ("\ufeff" + "p, user:a, *, secrets, *, get, deny\n" + GOOD).replace("\n", "\r\n")

    rows = policy.read_text({"a.csv": text})

    assert [rule.effect for rule in rows.rules] == ["deny", "allow"]


def test_a_last_line_without_an_end_is_a_row() -> None:
    rows = policy.read_text({"a.csv": GOOD + "p, user:a, *, secrets, *, get, deny"})

    assert [rule.effect for rule in rows.rules] == ["allow", "deny"]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_an_error(text: str, tmp_path: Path) -> None:
    assert faults(text, tmp_path) == ["0: empty; a comment in it would say that this is meant"]


@pytest.mark.parametrize("text", ["# nobody yet\n", "# nobody yet\n\n", f"{reader.EMPTY}\n"])
def test_a_comment_says_that_a_file_has_no_rows_yet(text: str) -> None:
    assert not policy.read_text({"a.csv": text}).rules


def test_a_file_that_had_rows_has_none_only_on_its_word(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"# a heading\n{GOOD}")
    before = policy.read(tmp_path)

    file.write_text("# a heading\n")
    with pytest.raises(InvalidPolicyError, match="a line '# authsvc: empty' says that this is"):
        policy.read(tmp_path, before)

    file.write_text(f"# a heading\n{reader.EMPTY}\n")
    emptied = policy.read(tmp_path, before)
    assert not emptied.rules
    file.write_text("# a heading\n")
    assert not policy.read(tmp_path, emptied).rules


def test_the_word_for_empty_in_a_file_with_rows_is_an_error(tmp_path: Path) -> None:
    assert faults(f"{reader.EMPTY}\n{GOOD}", tmp_path) == [
        "1: '# authsvc: empty', but the file has rows"
    ]


def test_a_missing_folder_an_empty_one_and_an_unreadable_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "good.csv").write_text(GOOD)
    (tmp_path / "folder" / "dangling.csv").symlink_to("nowhere")
    (tmp_path / "folder" / "folder.csv").mkdir()

    for path, said in [
        ("missing", "missing: no such file or directory"),
        ("empty", "empty: no *.csv file in this folder"),
        ("folder", "dangling.csv: broken link to nowhere"),
        ("folder", "folder.csv: is a directory"),
    ]:
        with pytest.raises(InvalidPolicyError, match=said.replace("*", r"\*")):
            policy.read(tmp_path / path)


_NO_TEXT = os.fsdecode(b"b\xe9")  # "bé" of a machine in Latin-1


@pytest.mark.parametrize(
    ("place", "file"), [("policy", f"{_NO_TEXT}.csv"), (_NO_TEXT, "a.csv")], ids=["file", "folder"]
)
def test_a_name_that_would_be_in_reasons_has_to_be_text(
    place: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / place
    folder.mkdir()
    (folder / file).write_text(GOOD)
    shown = rf"{folder / file}".replace(_NO_TEXT, r"b\xe9")

    with pytest.raises(InvalidPolicyError) as raised:
        policy.read(folder)
    assert str(raised.value) == f"{shown}: the name of the file, or of its folder, is not UTF-8"

    monkeypatch.chdir(folder)
    with pytest.raises(InvalidPolicyError, match="is not UTF-8"):
        policy.read(Path())


def test_a_name_further_up_is_nobodys_concern(tmp_path: Path) -> None:
    folder = tmp_path / _NO_TEXT / "policy"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(GOOD)
    assert len(policy.read(folder).rules) == 1


@pytest.mark.parametrize("name", ["policy", "policy/roles.csv"])
def test_a_broken_link_is_called_so_as_it_is_listed_and_yet_no_file(
    name: str, tmp_path: Path
) -> None:
    if name != "policy":
        (tmp_path / "policy").mkdir()
    (tmp_path / name).symlink_to("../gone")

    with pytest.raises(InvalidPolicyError) as raised:
        policy.read(tmp_path / "policy")

    assert str(raised.value) == f"{tmp_path / name}: broken link to ../gone"


def test_a_file_that_is_gone_is_told_with_its_rows_and_denies(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(
        f"{GOOD}p, user:a, *, secrets, *, *, deny\np, role:r, *, pods, *, get, allow\n"
        "g, user:a, role:r, *\n"
    )
    (tmp_path / "c.csv").write_text("# nothing yet\n")
    before = policy.load(tmp_path)
    (tmp_path / "b.csv").unlink()
    (tmp_path / "c.csv").unlink()

    with capture_logs() as logs:
        policy.load(tmp_path, after=before)

    assert logs == [
        {
            "event": "policy_file_gone",
            "log_level": "warning",
            "file": f"{tmp_path.name}/b.csv",
            "rows": 4,
            "denies": 1,
        }
    ]


def test_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    for name in (".#a.csv", ".a.csv", "a.csv~", "README.md"):
        (tmp_path / name).write_text("nonsense")

    assert len(policy.read(tmp_path).rules) == 1


def test_a_kubernetes_mount_is_read_through_its_links(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_23").mkdir()
    (tmp_path / "..2026_11_23" / "a.csv").write_text(GOOD)
    (tmp_path / "..data").symlink_to("..2026_11_23")
    (tmp_path / "a.csv").symlink_to("..data/a.csv")

    assert len(policy.read(tmp_path).rules) == 1


def test_files_swapped_under_the_reading_are_never_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, user in (("..1", "old"), ("..2", "new")):
        (tmp_path / version).mkdir()
        for name in "ab":
            (tmp_path / version / f"{name}.csv").write_text(GOOD.replace("user:a", f"user:{user}"))
    (tmp_path / "..data").symlink_to("..1")
    for name in "ab":
        (tmp_path / f"{name}.csv").symlink_to(f"..data/{name}.csv")
    opened = []
    read_file = reader._Reader.read

    def swap_before_the_second(self: reader._Reader, source: Source) -> None:
        opened.append(source)
        if len(opened) == 2:
            (tmp_path / "..tmp").symlink_to("..2")
            (tmp_path / "..tmp").rename(tmp_path / "..data")
        read_file(self, source)

    monkeypatch.setattr(reader._Reader, "read", swap_before_the_second)

    rows = policy.read(tmp_path)

    assert [rule.who for rule in rows.rules] == ["user:new", "user:new"]


def test_the_digest_is_of_names_and_bytes() -> None:
    first = policy.read_text({"a.csv": GOOD}).digest

    assert first == policy.read_text({"a.csv": GOOD}).digest
    assert first != policy.read_text({"b.csv": GOOD}).digest
    assert first != policy.read_text({"a.csv": "\n" + GOOD}).digest


def test_a_file_of_nothing_but_faults_is_reported_in_part(tmp_path: Path) -> None:
    found = faults("x\n" * 5000, tmp_path)

    assert len(found) == reader.MAX_ERRORS + 1
    assert found[-1] == "0: and more errors"
