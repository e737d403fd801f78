"""Claims make a user; what is not as a mapping expects refuses the token."""

from __future__ import annotations

from authsvc.authn.checks import unreported
from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping, map_user


def test_case_counts_in_the_globs_over_a_providers_groups() -> None:
    groups = GroupsMapping(ClaimMapping("groups"), include=("Dev-*",), exclude=("*-Old",))
    claims = {"sub": "alice", "groups": ["Dev-a", "dev-b", "Dev-c-Old", "Dev-d-old"]}

    user = map_user(claims, ClaimMappings(ClaimMapping("sub"), groups), unreported)

    assert user.groups == ("Dev-a", "Dev-d-old")
