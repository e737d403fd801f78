"""What comes with authsvc: the starter policy, the examples, the model."""

import shutil
from importlib import resources
from pathlib import Path

import pytest

from authsvc import policy
from authsvc.interfaces import Effect
from authsvc.policy.starter import FILES, starter_policy
from tests.contract.asking import NOW, ask

FOLDER = Path(__file__).parents[2] / "policy"


def effect(snapshot: policy.PolicySnapshot, *words: str, groups: tuple[str, ...]) -> Effect:
    return snapshot.evaluator.decide(ask(*words, groups=groups), NOW).effect


def test_the_starter_policy_loads_and_grants_nothing() -> None:
    snapshot = policy.compile_rows(policy.read_text(starter_policy()))

    assert snapshot.counts["p"] > 20
    assert effect(snapshot, "get", "pods", "ns", groups=("system:authenticated",)) is (
        Effect.NO_OPINION
    )


def test_the_commented_examples_of_the_starter_policy_load() -> None:
    files = starter_policy()
    files["bindings.csv"] = "".join(
        line.removeprefix("# ") + "\n"
        for line in files["bindings.csv"].splitlines()
        if line.startswith(("# g,", "# p,"))
    )

    assert policy.read_text(files).grants[-1].who == "serviceaccount:monitoring:prometheus"


@pytest.mark.parametrize("name", ["roles.csv", "examples/roles.csv", "model.conf"])
def test_the_folder_holds_files_and_no_links_so_that_it_can_be_copied(name: str) -> None:
    shipped = resources.files("authsvc.policy") / "shipped" / Path(name).name

    assert not (FOLDER / name).is_symlink()
    assert (FOLDER / name).read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize(
    ("role", "verb", "what", "allowed"),
    [
        ("view", "list", "deployments.apps", True),
        ("view", "get", "secrets", False),
        ("view", "create", "pods/exec", False),
        ("view", "delete", "pods", False),
        ("edit", "get", "pods/log", True),
        ("edit", "delete", "secrets", True),
        ("edit", "create", "rolebindings.rbac.authorization.k8s.io", False),
        ("admin", "create", "rolebindings.rbac.authorization.k8s.io", True),
        ("admin", "create", "pods/exec", True),
        ("admin", "delete", "namespaces", False),
        ("cluster-admin", "deletecollection", "anything.example.com/scale", True),
    ],
)
def test_the_roles_of_kubernetes_are_as_there(
    role: str, verb: str, what: str, allowed: bool
) -> None:
    binding = f"g, group:team, role:{role}, ns\n"
    files = {**starter_policy(), "bindings.csv": binding}
    snapshot = policy.compile_rows(policy.read_text(files))

    assert effect(snapshot, verb, what, "ns", groups=("team",)) is (
        Effect.ALLOW if allowed else Effect.NO_OPINION
    )
    assert effect(snapshot, verb, what, "other", groups=("team",)) is Effect.NO_OPINION


def test_the_folder_policy_shows_what_is_shipped() -> None:
    for name in ("model.conf", FILES[0], f"examples/{FILES[0]}"):
        shipped = Path(policy.__file__).parent / "shipped" / Path(name).name
        assert (FOLDER / name).read_bytes() == shipped.read_bytes()

    assert policy.load(FOLDER, FOLDER / "model.conf").model.is_shipped


def test_the_manuals_rows_and_reasons_are_true(tmp_path: Path) -> None:
    manual = (FOLDER / "README.md").read_text()
    rows = [line for line in manual.splitlines() if line.startswith(("p, ", "g, "))]
    shutil.copytree(FOLDER / "examples", tmp_path / "policy")

    evaluator = policy.load(tmp_path / "policy").evaluator
    denied = evaluator.decide(ask("delete", "secrets", "prod", "db", groups=("interns",)), NOW)
    allowed = evaluator.decide(ask("list", "pods", "team-a", groups=("team-a",)), NOW)

    assert len(policy.read_text({"manual.csv": "\n".join(rows) + "\n"}).rules) == 10
    assert denied.reason in manual
    assert allowed.reason in manual


@pytest.mark.parametrize("where", ["manual", "examples", "starter"])
def test_no_intern_reads_a_secret_of_production_whatever_else_they_are(where: str) -> None:
    if where == "manual":
        minute = (FOLDER / "README.md").read_text().split("```")[3]
        texts = {"minute.csv": minute}
    elif where == "starter":
        lines = starter_policy()["bindings.csv"].splitlines()
        texts = {"bindings.csv": "".join(f"{line[2:]}\n" for line in lines if "# p," in line)}
    else:
        texts = {file.name: file.read_text() for file in (FOLDER / "examples").glob("*.csv")}
    texts["also.csv"] = "p, group:all, *, *, *, *, allow\n"
    evaluator = policy.compile_rows(policy.read_text(texts)).evaluator

    for verb, namespace, name in [
        ("get", "prod-eu", "db"),
        ("list", "prod-eu", ""),
        ("list", "", ""),
        ("watch", "", ""),
    ]:
        asked = ask(verb, "secrets", namespace, name, groups=("interns", "all"))
        assert evaluator.decide(asked, NOW).effect is Effect.DENY, asked
