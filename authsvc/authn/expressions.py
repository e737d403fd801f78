"""CEL expressions over claims and users, as Kubernetes' AuthenticationConfiguration has them.

They are compiled and type-checked when the configuration is loaded, by
Google's own CEL runtime. It is a large binary, so it is not among the package's
dependencies: it comes with ``authsvc[cel]``, and an expression without it is an
error of the configuration. A token is refused where an expression fails on it
(a claim that is not there, a number too large).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any


class ExpressionError(ValueError):
    """An expression that cannot be compiled; the message says where."""


class Variable(Enum):
    """What an expression is about: the claims of a token, or the user they make."""

    CLAIMS = "claims"
    USER = "user"


class Result(Enum):
    """What an expression must result in."""

    BOOL = "a boolean"
    STRING = "a string"
    STRINGS = "a string or a list of strings"


class Expression:
    """A compiled expression over one variable. Equal where the text is."""

    def __init__(self, text: str, variable: Variable, result: Result) -> None:
        """Compile.

        Raises:
            ExpressionError: it does not compile, or not to that result.
        """
        self.text = text
        self._variable = variable.value
        self._compiled = _compile(text, variable, result)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def _key(self) -> tuple[str, str]:
        return (self.text, self._variable)

    def evaluate(self, value: Mapping[str, Any]) -> Any:
        """Return what it results in for these claims or this user.

        Raises:
            ValueError: it fails on them.
        """
        try:
            result = self._compiled.eval(data={self._variable: value})
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(str(error)) from None
        if result.type().name() == "ERROR":
            raise ValueError(str(result.value()))
        return result.plain_value()


def _compile(text: str, variable: Variable, result: Result) -> Any:
    environment = _environment(variable)
    try:
        compiled = environment.compile(text)
    except RuntimeError as error:
        raise ExpressionError(_first_lines(str(error))) from None
    found = compiled.return_type().name()
    expected = _TYPES[result]
    if not found.lower().startswith((*expected, "dyn")):
        raise ExpressionError(f"results in {found.lower()}, not in {result.value}")
    return compiled


_TYPES = {Result.BOOL: ("bool",), Result.STRING: ("string",), Result.STRINGS: ("string", "list")}


@cache
def _environment(variable: Variable) -> Any:
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_optional, ext_strings
    except ImportError:
        raise ExpressionError(
            "expressions need the CEL runtime, the extra cel: pip install '.[cel]' in the sources"
        ) from None
    return cel.NewEnv(
        variables={variable.value: cel.Type.Map(cel.Type.STRING, cel.Type.DYN)},
        extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
    )


def _first_lines(message: str) -> str:
    return " ".join(message.removesuffix("[INVALID_ARGUMENT]").split()).removeprefix(
        "INVALID_ARGUMENT: ERROR: "
    )
