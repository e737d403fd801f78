"""model.conf: the shipped one, and what another one may change.

Rows and requests are those of the language, so the definitions of r, p and g
stay as they are; the matcher and the effect may differ. Everything that Casbin
would only find out at the first decision, or never, is an error here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

from casbin.model import FunctionMap
from casbin.model import Model as CasbinModel

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy.folder import cause

_FIXED: Final = {
    "r": "sub, dom, obj, name, act, sel",
    "p": "sub, dom, obj, name, act, eft, when",
    "g": "_, _, _, _, _",
}
_SECTIONS: Final = CasbinModel.section_name_map
_EFFECTS: Final = (
    "some(where (p_eft == allow)) && !some(where (p_eft == deny))",
    "some(where (p_eft == allow))",
    "!some(where (p_eft == deny))",
    "priority(p_eft) || deny",
)
OUR_FUNCTIONS: Final = frozenset({"verbMatch", "resourceMatch", "patternMatch", "conditionMatch"})


class Model:
    """A model that was read and checked.

    Raises:
        InvalidPolicyError: all that is wrong with it.
    """

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._definitions = self._parse()
        faults = [*self._wrong_definitions(), *self._wrong_effect(), *self._wrong_matcher()]
        if faults:
            raise InvalidPolicyError(PolicyError(file, 0, fault) for fault in faults)

    @classmethod
    def shipped(cls) -> Model:
        """Return the one that comes with authsvc."""
        file = resources.files("authsvc.policy") / "shipped" / "model.conf"
        return cls(file.read_text(encoding="utf-8"), "model.conf")

    @classmethod
    def read(cls, path: Path) -> Model:
        """Read one from a file.

        Raises:
            InvalidPolicyError: it cannot be read, or all that is wrong with it.
        """
        try:
            return cls(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise InvalidPolicyError([PolicyError(str(path), 0, cause(error))]) from None
        except UnicodeDecodeError:
            raise InvalidPolicyError([PolicyError(str(path), 0, "not UTF-8")]) from None

    @property
    def is_shipped(self) -> bool:
        """Whether it says what the shipped one says, whatever its spacing and comments."""
        return self.normalized == Model.shipped().normalized

    @property
    def normalized(self) -> str:
        """What it says, as one text: for the policy's digest."""
        return repr(sorted(self._definitions.items()))

    def casbin_model(self) -> Any:
        """Return a new model for an enforcer of Casbin."""
        model = CasbinModel()
        model.load_model_from_text(self._text)
        return model

    def _parse(self) -> dict[str, str]:
        try:
            model = self.casbin_model()
        except (RuntimeError, IndexError) as error:
            raise InvalidPolicyError(
                [PolicyError(self._file, 0, f"not a model: {error}")]
            ) from None
        return {
            key: " ".join(definition.value.split())
            for definitions in model.values()
            for key, definition in definitions.items()
        }

    def _wrong_definitions(self) -> Iterator[str]:
        for key, section in _SECTIONS.items():
            if key not in self._definitions:
                yield f"[{section}] {key} is missing"
        for key in sorted(set(self._definitions) - set(_SECTIONS)):
            yield f"{key} is unknown: there is one each of r, p, g, e and m"
        for key, expected in _FIXED.items():
            if not _same(self._definitions.get(key, expected), expected):
                yield f"[{_SECTIONS[key]}] {key} must be: {expected}"

    def _wrong_effect(self) -> Iterator[str]:
        effect = self._definitions.get("e", _EFFECTS[0])
        if not any(_same(effect, known) for known in _EFFECTS):
            known = "; ".join(_EFFECTS).replace("p_", "p.")
            yield f"[policy_effect] e must be one of: {known}"

    def _wrong_matcher(self) -> Iterator[str]:
        # Casbin has made p.sub into p_sub by now.
        expression = self._definitions.get("m", "True").replace("&&", " and ").replace("||", " or ")
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
