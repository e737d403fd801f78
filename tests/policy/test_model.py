"""model.conf: what another one may change, and the traps of Casbin that stay shut."""

import subprocess
import sys
from importlib import resources
from pathlib import Path

import casbin
import pytest
from structlog.testing import capture_logs

from authsvc import policy
from authsvc.errors import InvalidPolicyError
from authsvc.interfaces import Effect, UserInfo
from authsvc.policy.enforcer import FUNCTIONS, CasbinEvaluator
from authsvc.policy.index import PolicyIndex
from authsvc.policy.model import OUR_FUNCTIONS, Model
from tests.contract.asking import NOW, ask, p

SHIPPED = (resources.files("authsvc.policy") / "shipped" / "model.conf").read_text()
MATCHER = SHIPPED.rpartition("m = ")[2].strip()
EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
ALLOW_WINS = SHIPPED.replace(EFFECT, "some(where (p.eft == allow))")
BOTH = p("user:alice", "*", "*") + p("user:alice", "*", "*", effect="deny")


def evaluator(text: str) -> CasbinEvaluator:
    return CasbinEvaluator(policy.read_text({"a.csv": text}), Model.shipped())


def test_the_shipped_model_is_known_whatever_its_spacing_and_comments() -> None:
    spaced = "\n".join(
        line.replace("&&", "  &&  ") for line in SHIPPED.splitlines() if not line.startswith("#")
    )

    assert Model.parse(spaced, "mine.conf").is_shipped
    assert Model.parse(spaced, "mine.conf").normalized == Model.shipped().normalized
    assert not Model.parse(ALLOW_WINS, "model.conf").is_shipped


def test_the_shipped_model_is_compiled_and_another_is_casbins_with_a_warning() -> None:
    rows = policy.read_text({"a.csv": BOTH})

    with capture_logs() as logs:
        shipped = policy.compile_rows(rows)
        other = policy.compile_rows(rows, Model.parse(ALLOW_WINS, "mine.conf"))

    assert isinstance(shipped.evaluator, PolicyIndex)
    assert shipped.evaluator.decide(ask(), NOW).effect is Effect.DENY
    assert other.evaluator.decide(ask(), NOW).effect is Effect.ALLOW
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert shipped.digest != other.digest


@pytest.mark.parametrize(
    ("effect", "text", "expected"),
    [
        ("!some(where (p.eft == deny))", p("user:bob", "*", "*"), Effect.ALLOW),
        ("!some(where (p.eft == deny))", BOTH, Effect.DENY),
        ("priority(p.eft) || deny", BOTH, Effect.ALLOW),
        ("priority(p.eft) || deny", p("user:bob", "*", "*"), Effect.NO_OPINION),
    ],
)
def test_a_model_may_have_another_effect(effect: str, text: str, expected: Effect) -> None:
    model = Model.parse(SHIPPED.replace(EFFECT, effect), "mine.conf")

    decision = policy.compile_rows(policy.read_text({"a.csv": text}), model).evaluator.decide(
        ask(), NOW
    )

    assert decision.effect is expected
    assert decision.reason or expected is Effect.NO_OPINION


def test_a_model_may_have_another_matcher() -> None:
    model = Model.parse(SHIPPED.replace(MATCHER, f'({MATCHER}) || r.act == "version"'), "mine.conf")
    snapshot = policy.compile_rows(policy.read_text({"a.csv": p("user:bob", "x", "y")}), model)

    assert snapshot.evaluator.decide(ask("version"), NOW).reason.startswith("allowed by a.csv:1")
    assert snapshot.evaluator.decide(ask("get"), NOW).effect is Effect.NO_OPINION


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[matchers]", "[matcher]", "[matchers] m is missing"),
        ("[role_definition]", "[roles]", "[role_definition] g is missing"),
        ("p = sub, dom", "p = sub", "[policy_definition] p must be"),
        (", when\n", "\n", "[policy_definition] p must be"),
        ("g = _, _, _, _, _", "g = _, _, _", "[role_definition] g must be"),
        ("g = ", "g2 = _, _\ng = ", "g2 is unknown"),
        (EFFECT, "some(where (p.eft == maybe))", "[policy_effect] e must be one of"),
        (EFFECT, "subjectPriority(p.eft) || deny", "[policy_effect] e must be one of"),
        (MATCHER, "eval(p.when)", "unknown name: eval"),
        (MATCHER, "__import__('os')", "unknown name: __import__"),
        (MATCHER, "r.subject == p.sub", "unknown name: r_subject"),
        (MATCHER, "verbMatch", "unknown name: verbMatch"),
        (MATCHER, "verbMatch(r.act,", "m cannot be read"),
        ("r = sub", "nonsense\nr = sub", "not a model"),
    ],
)
def test_a_bad_model_is_an_error_before_it_decides_anything(old: str, new: str, said: str) -> None:
    assert old in SHIPPED

    with pytest.raises(InvalidPolicyError) as raised:
        Model.parse(SHIPPED.replace(old, new), "mine.conf")

    assert said in str(raised.value)
    assert {error.file for error in raised.value.errors} == {"mine.conf"}


def test_a_model_that_cannot_be_read_is_reported_with_the_rows_faults(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("nonsense\n")
    (tmp_path / "latin.conf").write_bytes(b"\xe9")

    for model, said in ((tmp_path / "none.conf", "no such file"), (tmp_path / "latin.conf", "UTF")):
        with pytest.raises(InvalidPolicyError) as raised:
            policy.load(tmp_path, model)
        assert len(raised.value.errors) == 2
        assert said in str(raised.value)


def test_the_checker_knows_the_functions_that_the_enforcer_has() -> None:
    assert set(FUNCTIONS) == OUR_FUNCTIONS


def test_casbin_would_ask_its_matcher_of_an_empty_policy_and_we_do_not() -> None:
    model = casbin.Enforcer.new_model(text=SHIPPED.replace(MATCHER, "r.act == p.act"))
    assert casbin.Enforcer(model).enforce("alice", "", "", "", "", "") is True  # the trap

    assert evaluator("# authsvc: empty\n").decide(ask(""), NOW).effect is Effect.NO_OPINION


def test_casbin_would_give_a_name_its_own_role_and_we_do_not() -> None:
    user = UserInfo("role:r", "", ("role:r",))

    decision = evaluator(p("role:r", "*", "*")).decide(ask()._replace(user=user), NOW)

    assert decision.effect is Effect.NO_OPINION


def test_unknown_users_leave_nothing_behind_in_the_role_manager() -> None:
    judge = evaluator(p("role:r", "*", "*") + "g, user:a, role:r, *\n")

    for number in range(100):
        judge.decide(ask(user=f"stranger-{number}", groups=(f"g-{number}",)), NOW)

    assert set(judge._roles._steps) == {"user:a"}


def test_a_rules_text_is_never_executed() -> None:
    text = p("user:alice", "*", "pods", '__import__("os")', "get")

    quoted = text.replace('__import__("os")', '"__import__(""os"")"')
    assert evaluator(quoted).decide(ask(name="x"), NOW).effect is Effect.NO_OPINION
    assert evaluator(quoted).decide(ask(name='__import__("os")'), NOW).effect is Effect.ALLOW


def test_only_another_model_than_the_shipped_one_imports_casbin(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BOTH)
    (tmp_path / "mine.conf").write_text(ALLOW_WINS)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from authsvc import policy\n"
        "folder = Path(sys.argv[1])\n"
        "def heavy(): return [n for n in ('casbin', 'structlog') if n in sys.modules]\n"
        "policy.load(folder)\n"
        "print(heavy())\n"
        "policy.load(folder, folder / 'mine.conf')\n"
        "print(heavy())\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert run.stdout.splitlines()[0] == "[]"
    assert run.stdout.splitlines()[-1] == "['casbin', 'structlog']"
