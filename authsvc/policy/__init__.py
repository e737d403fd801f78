"""The policy language: rows with their places, and what they say of a request.

``read`` gives the rows of a folder; ``load`` gives the snapshot that decides,
whose ``evaluator`` also explains.
"""

from __future__ import annotations

from authsvc.policy.evaluation import Evaluator, Match
from authsvc.policy.model import Model
from authsvc.policy.reader import read, read_text
from authsvc.policy.rows import Grant, Grants, Rows, Rule, Rules
from authsvc.policy.snapshot import PolicySnapshot, compile_rows, load

__all__ = [
    "Evaluator",
    "Grant",
    "Grants",
    "Match",
    "Model",
    "PolicySnapshot",
    "Rows",
    "Rule",
    "Rules",
    "compile_rows",
    "load",
    "read",
    "read_text",
]
