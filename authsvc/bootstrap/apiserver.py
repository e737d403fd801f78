"""How kube-apiserver is told to ask: flags and authorizers."""

from __future__ import annotations

import json

from authsvc.bootstrap import site as names
from authsvc.bootstrap.site import Site, Target

# Nobody of these is ever decided by a policy of authsvc: they run the cluster,
# or have to repair it. https://kubernetes.io/docs/reference/access-authn-authz/rbac/
# lists the components' names; kubeadm's administrators and the API server's own
# kubelet client are in kubeadm:cluster-admins.
_COMPONENTS = ("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy")
_K3S_COMPONENTS = ("system:k3s-controller", "k3s-cloud-controller-manager")
_GROUPS = ("system:nodes", "system:bootstrappers", "system:serviceaccounts:kube-system")
_BREAK_GLASS = ("kubeadm:cluster-admins",)
_HEALTH = ("/healthz", "/livez", "/readyz")


def flags(site: Site) -> dict[str, str]:
    """Return kube-apiserver's flags, without the leading dashes."""
    return {
        "authentication-token-webhook-cache-ttl": "30s",
        "authentication-token-webhook-config-file": site.on_node(names.AUTHENTICATION_KUBECONFIG),
        "authentication-token-webhook-version": "v1",
        "authorization-config": site.on_node(names.AUTHORIZATION_CONFIG),
    }


def flags_file(site: Site) -> str:
    """Return the flags, one a line; --authorization-mode has to go."""
    lines = [f"--{name}={value}" for name, value in flags(site).items()]
    return "\n".join(
        [
            "# Add these to kube-apiserver, and remove --authorization-mode and every",
            "# --authorization-webhook-… flag: --authorization-config stands for all of them.",
            *lines,
            "",
        ]
    )


def authorization_config(site: Site) -> str:
    """Return the AuthorizationConfiguration (apiserver.config.k8s.io/v1, Kubernetes >= 1.32)."""
    components = _COMPONENTS + (_K3S_COMPONENTS if site.target is Target.K3S else ())
    return f"""\
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Node
  name: node
- type: Webhook
  name: authsvc
  webhook:
    connectionInfo:
      type: KubeConfigFile
      kubeConfigFile: {quoted(site.on_node(names.AUTHORIZATION_KUBECONFIG))}
    subjectAccessReviewVersion: v1
    timeout: 3s
    # A change of policy is felt after at most this long.
    authorizedTTL: 30s
    unauthorizedTTL: 30s
    # While authsvc cannot be asked, RBAC below answers alone: nobody is locked
    # out, but a deny row of yours does not bind. Where that is worse than an
    # outage, write Deny: then only those named below get through.
    failurePolicy: NoOpinion
    matchConditionSubjectAccessReviewVersion: v1
    # authsvc is asked only where all of these are true. system:masters and the
    # API server itself never get as far as here.
    matchConditions:
    # Nodes, nodes that join, and the controllers of kube-system.
    - expression: >-
        !request.groups.exists(group, group in {_cel(_GROUPS)})
    # The control plane.
    - expression: >-
        !(request.user in {_cel(components)})
    # Those who repair the cluster when all else is broken: add your own group.
    - expression: >-
        !request.groups.exists(group, group in {_cel(_BREAK_GLASS)})
    # The probes of the API server, which kubelets and load balancers wait for.
    - expression: >-
        !has(request.nonResourceAttributes) || !{_cel(_HEALTH)}.exists(path,
        request.nonResourceAttributes.path == path ||
        request.nonResourceAttributes.path.startsWith(path + '/'))
- type: RBAC
  name: rbac
"""


def quoted(text: str) -> str:
    """Return a string as YAML reads it back, whatever is in it (JSON strings are YAML)."""
    return json.dumps(text, ensure_ascii=False)


def _cel(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"
