"""model.conf: the shipped one, and what another one may change.

Rows and requests are those of the language, so the definitions of r, p and g
stay as they are; the matcher and the effect may differ. Everything that Casbin
would only find out at the first decision, or never, is an error here.

Casbin takes as long to import as all the rest of a policy tool, so only another
model imports it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy.folder import cause

_FIXED: Final = {
    "r": "sub, dom, obj, name, act, sel",
    "p": "sub, dom, obj, name, act, eft, when",
    "g": "_, _, _, _, _",
}
_SECTIONS: Final = {
    "r": "request_definition",
    "p": "policy_definition",
    "g": "role_definition",
    "e": "policy_effect",
    "m": "matchers",
}
_EFFECTS: Final = (
    "some(where (p_eft == allow)) && !some(where (p_eft == deny))",
    "some(where (p_eft == allow))",
    "!some(where (p_eft == deny))",
    "priority(p_eft) || deny",
)
OUR_FUNCTIONS: Final = frozenset({"verbMatch", "resourceMatch", "patternMatch", "conditionMatch"})


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was checked.

    ``normalized`` is what it says, as one text: for the policy's digest.
    ``is_shipped``: it says what the shipped one says, whatever its spacing and
    comments.
    """

    text: str
    normalized: str
    is_shipped: bool

    @classmethod
    def shipped(cls) -> Model:
        """Return the one that comes with authsvc."""
        text = _shipped()
        return cls(text, text, is_shipped=True)

    @classmethod
    def parse(cls, text: str, file: str) -> Model:
        """Check a text; ``file`` is what errors call it.

        Raises:
            InvalidPolicyError: all that is wrong with it.
        """
        said = _definitions(text, file)
        faults = [*_wrong_definitions(said), *_wrong_effect(said), *_wrong_matcher(said)]
        if faults:
            raise InvalidPolicyError(PolicyError(file, 0, fault) for fault in faults)
        if said == _definitions(_shipped(), "model.conf"):
            return cls(text, cls.shipped().normalized, is_shipped=True)
        return cls(text, repr(sorted(said.items())), is_shipped=False)

    @classmethod
    def read(cls, path: Path) -> Model:
        """Read one from a file.

        Raises:
            InvalidPolicyError: it cannot be read, or all that is wrong with it.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise InvalidPolicyError([PolicyError(str(path), 0, cause(error))]) from None
        except UnicodeDecodeError:
            raise InvalidPolicyError([PolicyError(str(path), 0, "not UTF-8")]) from None


def casbin_model(text: str) -> Any:
    """Return a new model for an enforcer of Casbin."""
    from casbin.model import Model as CasbinModel

    model = CasbinModel()
    model.load_model_from_text(text)
    return model


def _shipped() -> str:
    file = resources.files("authsvc.policy") / "shipped" / "model.conf"
    return file.read_text(encoding="utf-8")


def _definitions(text: str, file: str) -> dict[str, str]:
    try:
        model = casbin_model(text)
    except (RuntimeError, IndexError) as error:
        raise InvalidPolicyError([PolicyError(file, 0, f"not a model: {error}")]) from None
    return {
        key: " ".join(definition.value.split())
        for definitions in model.values()
        for key, definition in definitions.items()
    }


def _wrong_definitions(said: Mapping[str, str]) -> Iterator[str]:
    for key, section in _SECTIONS.items():
        if key not in said:
            yield f"[{section}] {key} is missing"
    for key in sorted(set(said) - set(_SECTIONS)):
        yield f"{key} is unknown: there is one each of r, p, g, e and m"
    for key, expected in _FIXED.items():
        if not _same(said.get(key, expected), expected):
            yield f"[{_SECTIONS[key]}] {key} must be: {expected}"


def _wrong_effect(said: Mapping[str, str]) -> Iterator[str]:
    effect = said.get("e", _EFFECTS[0])
    if not any(_same(effect, known) for known in _EFFECTS):
        known = "; ".join(_EFFECTS).replace("p_", "p.")
        yield f"[policy_effect] e must be one of: {known}"


def _wrong_matcher(said: Mapping[str, str]) -> Iterator[str]:
    from casbin.model import FunctionMap

    # Casbin has made p.sub into p_sub by now.
    expression = said.get("m", "True").replace("&&", " and ").replace("||", " or ")
    try:
        tree = ast.parse(re.sub(r"!(?!=)", " not ", expression).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        yield "[matchers] m cannot be read"
        return
    functions = {"g", *OUR_FUNCTIONS, *FunctionMap.load_function_map().get_functions()}
    fields = {f"{key}_{field}" for key in "rp" for field in _FIXED[key].split(", ")}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            known = functions if id(node) in called else fields
            if node.id not in known:
                yield f"[matchers] m has an unknown name: {node.id}"


def _same(one: str, other: str) -> bool:
    return re.sub(r"\s+", "", one) == re.sub(r"\s+", "", other)
