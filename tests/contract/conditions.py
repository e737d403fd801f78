"""What a condition on labels says of a request's selector (KEP-4601)."""

from __future__ import annotations

from authsvc.interfaces import Effect, Requirement
from tests.contract.asking import NONE, A, D

IN_A = Requirement("team", "In", ("a",))
IN_AB = Requirement("team", "In", ("a", "b"))
NOT_A = Requirement("team", "NotIn", ("a",))
NODE = Requirement("spec.nodeName", "In", ("n1",))
SELECTORS: list[tuple[str, str, tuple[Requirement, ...], Effect]] = [
    ("allow, label:team=a", "exact", (IN_A,), A),
    ("allow, label:team=a", "broader", (IN_AB,), NONE),
    ("allow, label:team=a", "no selector", (), NONE),
    ("allow, label:team=a", "of another key", (Requirement("x", "In", ("a",)),), NONE),
    ("allow, label:team=a", "two that meet", (IN_AB, Requirement("team", "NotIn", ("b",))), A),
    ("allow, label:team=a", "contradiction", (IN_A, NOT_A), NONE),
    ("allow, label:team=a", "exists", (Requirement("team", "Exists"),), NONE),
    ("allow, label:team=a", "in nothing", (Requirement("team", "In"),), NONE),
    ('allow, "label:team in (a,b)"', "narrower", (IN_A,), A),
    ('allow, "label:team in (a,b)"', "equal", (IN_AB,), A),
    ("allow, label:team!=a", "NotIn", (NOT_A,), A),
    ("allow, label:team!=a", "In another", (Requirement("team", "In", ("b",)),), A),
    ("allow, label:team!=a", "absent", (Requirement("team", "DoesNotExist"),), A),
    ("allow, label:team!=a", "no selector", (), NONE),
    ("allow, label:team", "Exists", (Requirement("team", "Exists"),), A),
    ("allow, label:team", "In", (IN_A,), A),
    ("allow, label:team", "NotIn", (NOT_A,), NONE),
    ("allow, label:!team", "DoesNotExist", (Requirement("team", "DoesNotExist"),), A),
    ("allow, label:!team", "NotIn", (NOT_A,), NONE),
    ("allow, label:team=a;label:x=y", "one of two", (IN_A,), NONE),
    ("allow, label:x=y|label:team=a", "one alternative", (IN_A,), A),
    ("deny, label:team=a", "exact", (IN_A,), D),
    ("deny, label:team=a", "broader does not walk round it", (), D),
    ("deny, label:team=a", "the rest is not denied", (NOT_A,), NONE),
    ("deny, label:team=a;label:x=y", "cannot meet one of two", (NOT_A,), NONE),
    ("deny, label:x=y|label:team=a", "can meet an alternative", (NOT_A,), D),
]
