"""The catalogue: Kubernetes' own resources, and those of a cluster."""

from __future__ import annotations

import json

import pytest

from authsvc.errors import InvalidConfigurationError
from authsvc.policy.resources import Catalogue

SHIPPED = Catalogue.shipped()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("deployment", "", ""), "deployments.apps"),
        (("Deployment", "apps", ""), "deployments.apps"),
        (("deploy", "", ""), "deployments.apps"),
        (("deployments", "app", ""), "deployments.apps"),
        (("pod", "", "exce"), "pods/exec"),
        (("cm", "", ""), "configmaps"),
        (("xyzzy", "", ""), ""),
    ],
)
def test_neighbours_in_spelling_are_suggested(written: tuple[str, str, str], meant: str) -> None:
    assert SHIPPED.suggest(*written) == meant


def test_the_shipped_list_has_what_only_authorizers_are_asked_about() -> None:
    assert {"impersonate"} <= SHIPPED.known["users"].verbs
    assert {"bind", "escalate", "get"} <= SHIPPED.known["roles.rbac.authorization.k8s.io"].verbs
    assert SHIPPED.known["pods"].namespaced
    assert not SHIPPED.known["nodes"].namespaced


WIDGET = {"name": "widgets", "namespaced": True, "kind": "Widget", "verbs": ["get"]}
LIST = {
    "kind": "APIResourceList",
    "groupVersion": "example.com/v1",
    "resources": [WIDGET, {**WIDGET, "name": "widgets/scale", "verbs": ["update"]}],
}
AGGREGATED = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "example.com"},
            "versions": [
                {
                    "resources": [
                        {
                            "resource": "widgets",
                            "scope": "Namespaced",
                            "verbs": ["get"],
                            "responseKind": {"kind": "Widget"},
                            "subresources": [{"subresource": "scale", "verbs": ["update"]}],
                        }
                    ]
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("document", [LIST, AGGREGATED, {"kind": "List", "items": [LIST]}])
def test_every_form_of_discovery_is_read(document: object) -> None:
    text = json.dumps(document)

    catalogue = Catalogue.of_cluster(f"{text}\n{text}", "x")

    assert catalogue.known["widgets.example.com"].verbs == {"get"}
    assert catalogue.known["widgets.example.com/scale"].verbs == {"update"}
    assert catalogue.judges("anything")
    assert "users" in catalogue.known
    assert "pods" not in catalogue.known


@pytest.mark.parametrize(
    "text", ["", "{", '{"kind": 1}', "{}", '{"kind": "APIResourceList"}', "[]"]
)
def test_what_is_no_discovery_is_an_error(text: str) -> None:
    with pytest.raises(InvalidConfigurationError):
        Catalogue.of_cluster(text, "x")
