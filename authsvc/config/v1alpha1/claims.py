"""``claimMappings``, ``claimValidationRules`` and ``userValidationRules``.

The words and their rules are those of Kubernetes' AuthenticationConfiguration
(apiserver.config.k8s.io/v1), so that one can be copied from the other. Beyond
it, a ``claim`` may be a JSON Pointer (``/realm_access/roles``), groups may be
included and excluded by globs, and ``extra`` may name a claim.
"""

from __future__ import annotations

import re

import msgspec

from authsvc.authn.claims import (
    ClaimMapping,
    ClaimMappings,
    ClaimRule,
    GroupsMapping,
    UserRule,
)
from authsvc.authn.expressions import Expression, ExpressionError, Result, Variable
from authsvc.authn.guard import is_reserved, is_reserved_key
from authsvc.decoding.structs import Place, Wire, readable

# Kubernetes asks the same of keys in extra: domain-prefixed and in lower case.
_EXTRA_KEY = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[^\sA-Z]+")
# claims.email, claims.?email, claims["email"], claims[?'email']
_USES_EMAIL = re.compile(r"""\bclaims\s*(\.\s*\??\s*email\b|\[\s*\??\s*[rR]?(["'])email\2)""")


class PrefixedClaim(Wire, frozen=True):
    """A claim and what is put before it, or an expression over ``claims``."""

    claim: str = ""
    prefix: str | None = None
    expression: str = ""

    def to_mapping(self, at: Place, result: Result) -> ClaimMapping:
        """Convert to the internal model."""
        if check_one_of(at, claim=self.claim, expression=self.expression):
            if self.claim and self.prefix is None:
                at.field("prefix").error('required with claim; "" is for none')
            if self.expression and self.prefix is not None:
                at.field("prefix").error("belongs to claim; an expression adds its own")
            check_prefix(self.prefix or "", at.field("prefix"))
        compiled = compile_expression(self.expression, Variable.CLAIMS, result, at)
        return ClaimMapping(check_claim(self.claim, at), self.prefix or "", compiled)


class Groups(PrefixedClaim, frozen=True):
    """Groups; of them those that match ``include``, where there is any, and no ``exclude``."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def to_groups(self, at: Place) -> GroupsMapping:
        """Convert to the internal model."""
        source = self.to_mapping(at, Result.STRINGS)
        return GroupsMapping(source, self.include, self.exclude)


class UID(Wire, frozen=True):
    """A claim or an expression that never changes for a user, nor is given to another."""

    claim: str = ""
    expression: str = ""

    def to_mapping(self, at: Place) -> ClaimMapping:
        """Convert to the internal model."""
        check_one_of(at, claim=self.claim, expression=self.expression)
        compiled = compile_expression(self.expression, Variable.CLAIMS, Result.STRING, at)
        return ClaimMapping(check_claim(self.claim, at), expression=compiled)


class Extra(Wire, frozen=True):
    """What else is known of a user, for the audit log and for admission."""

    key: str
    claim: str = ""
    value_expression: str = ""

    def to_mapping(self, at: Place) -> tuple[str, ClaimMapping]:
        """Convert to the internal model."""
        check_one_of(at, claim=self.claim, valueExpression=self.value_expression)
        if not _EXTRA_KEY.fullmatch(self.key):
            at.field("key").error("expected a lower-case domain and a path: example.com/tenant")
        check_extra_key(self.key, at.field("key"))
        compiled = compile_expression(
            self.value_expression, Variable.CLAIMS, Result.STRINGS, at, field="valueExpression"
        )
        return self.key, ClaimMapping(check_claim(self.claim, at), expression=compiled)


class Mappings(Wire, frozen=True):
    """How claims make a user."""

    username: PrefixedClaim
    groups: Groups | None = None
    uid: UID | None = None
    extra: tuple[Extra, ...] = ()

    def to_settings(self, at: Place) -> ClaimMappings:
        """Convert to the internal model."""
        extra: dict[str, ClaimMapping] = {}
        for index, each in readable(self.extra):
            place = at.field("extra").item(index)
            key, mapping = each.to_mapping(place)
            if key in extra:
                place.field("key").error(f"{key!r} is given twice")
            extra[key] = mapping
        return ClaimMappings(
            username=self.username.to_mapping(at.field("username"), Result.STRING),
            groups=self.groups.to_groups(at.field("groups")) if self.groups else None,
            uid=self.uid.to_mapping(at.field("uid")) if self.uid else None,
            extra=tuple(extra.items()),
        )


class ClaimValidationRule(Wire, frozen=True):
    """A claim with the value it must have, or an expression that must be true."""

    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""

    def to_rule(self, at: Place) -> ClaimRule:
        """Convert to the internal model."""
        check_one_of(at, claim=self.claim, expression=self.expression)
        if self.expression and self.required_value:
            at.field("requiredValue").error("belongs to claim")
        if self.claim and self.message:
            at.field("message").error("belongs to expression")
        compiled = compile_expression(self.expression, Variable.CLAIMS, Result.BOOL, at)
        return ClaimRule(check_claim(self.claim, at), self.required_value, compiled, self.message)


class UserValidationRule(Wire, frozen=True):
    """An expression over ``user`` (username, uid, groups, extra) that must be true."""

    expression: str
    message: str = ""

    def to_rule(self, at: Place) -> UserRule | None:
        """Convert to the internal model; None where an error was recorded."""
        compiled = compile_expression(self.expression, Variable.USER, Result.BOOL, at)
        if compiled is None:
            if not self.expression:
                at.field("expression").error("empty")
            return None
        return UserRule(compiled, self.message)


class Claims(Wire, frozen=True):
    """The fields that every provider of claims has; a provider's own struct adds to them."""

    claim_mappings: Mappings
    claim_validation_rules: tuple[ClaimValidationRule, ...] = ()
    user_validation_rules: tuple[UserValidationRule, ...] = ()
    api_audiences: tuple[str, ...] = msgspec.field(name="apiAudiences", default=())

    def to_mappings(self, at: Place) -> ClaimMappings:
        """Convert the mappings, and check what Kubernetes checks across fields."""
        self._check_verified(at)
        return self.claim_mappings.to_settings(at.field("claimMappings"))

    def to_claim_rules(self, at: Place) -> tuple[ClaimRule, ...]:
        """Convert the rules over claims."""
        place = at.field("claimValidationRules")
        rules = readable(self.claim_validation_rules)
        return tuple(rule.to_rule(place.item(index)) for index, rule in rules)

    def to_user_rules(self, at: Place) -> tuple[UserRule, ...]:
        """Convert the rules over users."""
        place = at.field("userValidationRules")
        rules = readable(self.user_validation_rules)
        made = (rule.to_rule(place.item(index)) for index, rule in rules)
        return tuple(rule for rule in made if rule is not None)

    def _check_verified(self, at: Place) -> None:
        """Refuse an expression that takes an e-mail address for a name, verified or not."""
        username = self.claim_mappings.username.expression
        if not _USES_EMAIL.search(username):
            return
        places = [username]
        places += [each.value_expression for _, each in readable(self.claim_mappings.extra)]
        places += [rule.expression for _, rule in readable(self.claim_validation_rules)]
        if not any("email_verified" in text for text in places):
            at.field("claimMappings").field("username").field("expression").error(
                "uses claims.email, so claims.email_verified must be used here, in an extra or in"
                " a claimValidationRule: an address that nobody verified may be anybody's"
            )


def check_one_of(at: Place, **given: str) -> bool:
    """Return whether exactly one of the fields is given; record an error where not."""
    good = sum(bool(value) for value in given.values()) == 1
    if not good:
        at.error(f"expected either {' or '.join(given)}")
    return good


def check_prefix(prefix: str, at: Place) -> str:
    """Return what is put before names; record an error where no such name would be believed."""
    if is_reserved(prefix):
        at.error("names the control plane: every such user is refused, and every group left out")
    return prefix


def check_extra_key(key: str, at: Place) -> None:
    """Record an error where a key of ``extra`` is one that the guard drops of every user."""
    if is_reserved_key(key):
        at.error(f"{key.partition('/')[0]} is reserved for Kubernetes")


def check_claim(claim: str, at: Place) -> str:
    """Return the name of a claim; record an error where it is a malformed JSON Pointer."""
    if not claim.startswith("/"):
        return claim
    if re.search(r"~(?![01])", claim):
        at.field("claim").error("not a JSON Pointer (RFC 6901): ~ is written ~0, / is written ~1")
    # ``/email`` is ``email``, and what holds for the one holds for the other.
    return claim if re.search(r"[/~]", claim[1:]) else claim[1:]


def compile_expression(
    text: str, variable: Variable, result: Result, at: Place, *, field: str = "expression"
) -> Expression | None:
    """Compile an expression, if there is one; None where there is none or an error was recorded."""
    if not text:
        return None
    try:
        return Expression(text, variable, result)
    except ExpressionError as error:
        at.field(field).error(str(error))
        return None
