"""The policy language: rows with their places, and what they say of a request.

``read`` gives the rows of a folder; ``load`` gives the snapshot that decides.
"""

from __future__ import annotations

from authsvc.policy.reader import read, read_text
from authsvc.policy.rows import Grant, Grants, Rows, Rule, Rules

__all__ = ["Grant", "Grants", "Rows", "Rule", "Rules", "read", "read_text"]
