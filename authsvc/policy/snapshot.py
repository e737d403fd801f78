"""A policy as it is used: read, checked, compiled, immutable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy.evaluation import Evaluator
from authsvc.policy.index import PolicyIndex
from authsvc.policy.model import Model
from authsvc.policy.reader import read
from authsvc.policy.rows import Grants, Rows, Rules


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """One state of the policy.

    ``digest`` is that of the files and the model: equal policies have equal
    ones, in every process.
    """

    rows: Rows
    model: Model
    evaluator: Evaluator
    digest: str

    @property
    def rules(self) -> Rules:
        """The ``p`` rows."""
        return self.rows.rules

    @property
    def grants(self) -> Grants:
        """The ``g`` rows."""
        return self.rows.grants

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each type there are."""
        return {"p": len(self.rules), "g": len(self.grants)}


def load(
    folder: Path, model: Path | None = None, after: PolicySnapshot | None = None
) -> PolicySnapshot:
    """Read and compile the policy of a folder, by the shipped model or another one.

    ``after`` is the one that it replaces, if any: see ``reader.read``.

    Raises:
        InvalidPolicyError: all faults of the model and of the rows, with their places.
    """
    errors: list[PolicyError] = []
    law: Model | None = None
    try:
        law = Model.shipped() if model is None else Model.read(model)
    except InvalidPolicyError as error:
        errors += error.errors
    try:
        rows = read(folder, after.rows if after else None)
    except InvalidPolicyError as error:
        raise InvalidPolicyError([*errors, *error.errors]) from None
    if law is None:
        raise InvalidPolicyError(errors)
    if after:
        _tell_of_files_gone(after.rows, rows)
    return compile_rows(rows, law)


def _tell_of_files_gone(before: Rows, after: Rows) -> None:
    """Log each file that had rows and is there no more.

    To empty a file is refused as an accident, but not to remove it: that has to
    be possible, and is how files are renamed. What it denied may now be allowed.
    """
    for file in before.files:
        if file in before.filled and file not in after.files:
            import structlog

            rules, grants = (table.places.rows_of(file) for table in (before.rules, before.grants))
            structlog.get_logger().warning(
                "policy_file_gone",
                file=file,
                rows=len(rules) + len(grants),
                denies=sum(before.rules.deny[row] for row in rules),
            )


def compile_rows(rows: Rows, model: Model | None = None) -> PolicySnapshot:
    """Make rows ready to decide: by the index, or under another model by Casbin's enforcer."""
    law = model or Model.shipped()
    digest = hashlib.sha256(f"{rows.digest}\n{law.normalized}".encode()).hexdigest()
    if law.is_shipped:
        return PolicySnapshot(rows, law, PolicyIndex(rows), digest)
    # Late: the shipped model needs neither, and a command is run for each look at a policy.
    import structlog

    from authsvc.policy.enforcer import CasbinEvaluator

    structlog.get_logger().warning(
        "policy_model_is_not_the_shipped_one",
        cost="each decision walks all rows, about 10 µs for each; the index is not used",
        rows=len(rows.rules),
    )
    return PolicySnapshot(rows, law, CasbinEvaluator(rows, law), digest)
