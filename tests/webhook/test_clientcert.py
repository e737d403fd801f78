"""The names of a certificate, as `ssl` shows it."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.webhook.clientcert import names_of


@pytest.mark.parametrize("certificate", [None, {}], ids=["none", "not verified"])
def test_no_certificate_has_no_names_at_all(certificate: dict[str, Any] | None) -> None:
    assert names_of(certificate) is None


def test_common_names_and_dns_names_count_and_nothing_else() -> None:
    certificate = {
        "subject": ((("organizationName", "o"), ("commonName", "a")), (("commonName", "b"),)),
        "subjectAltName": (("DNS", "c"), ("IP Address", "127.0.0.1"), ("URI", "spiffe://d")),
        "issuer": ((("commonName", "e"),),),
    }
    assert names_of(certificate) == frozenset({"a", "b", "c"})


def test_a_certificate_without_names_is_one_all_the_same() -> None:
    assert names_of({"subject": ()}) == frozenset()
