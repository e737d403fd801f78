"""The policy authorizer, with each of its evaluators."""

from dataclasses import dataclass

import pytest

from authsvc import policy
from authsvc.authz.policy import PolicyAuthorizer
from authsvc.errors import NotReadyError
from authsvc.interfaces import Authorizer
from authsvc.policy import Evaluator, PolicySnapshot
from authsvc.policy.enforcer import CasbinEvaluator
from authsvc.policy.index import PolicyIndex
from authsvc.reloading import Reloading
from tests.contract.asking import ask
from tests.contract.authorizer import AuthorizerContract, AuthorizerOf


@dataclass
class Holder:
    """A policy that is there."""

    current: PolicySnapshot


def authorizer(evaluator: Evaluator, rows: policy.Rows, now: float) -> Authorizer:
    snapshot = PolicySnapshot(rows, policy.Model.shipped(), evaluator, "")
    return PolicyAuthorizer(Holder(snapshot), lambda: now)


class TestCasbinsEnforcer(AuthorizerContract):
    @pytest.fixture
    def authorizer_of(self) -> AuthorizerOf:
        def make(text: str, now: float) -> Authorizer:
            rows = policy.read_text({"policy.csv": text})
            return authorizer(CasbinEvaluator(rows, policy.Model.shipped()), rows, now)

        return make


class TestIndex(AuthorizerContract):
    @pytest.fixture
    def authorizer_of(self) -> AuthorizerOf:
        def make(text: str, now: float) -> Authorizer:
            rows = policy.read_text({"policy.csv": text})
            return authorizer(PolicyIndex(rows), rows, now)

        return make


def test_a_policy_that_was_never_loaded_is_not_ready() -> None:
    def load() -> PolicySnapshot:
        raise AssertionError("never called")

    with pytest.raises(NotReadyError):
        PolicyAuthorizer(Reloading("policy", load, ())).authorize(ask())
