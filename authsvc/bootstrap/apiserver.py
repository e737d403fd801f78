"""How kube-apiserver is told to ask: flags, authorizers, and JWT issuers of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from authsvc.bootstrap import site as names
from authsvc.bootstrap.site import Site, Target
from authsvc.errors import ConfigError

# Nobody of these is ever decided by a policy of authsvc: they run the cluster,
# or have to repair it. https://kubernetes.io/docs/reference/access-authn-authz/rbac/
# lists the components' names; kubeadm's administrators and the API server's own
# kubelet client are in kubeadm:cluster-admins.
_COMPONENTS = ("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy")
_K3S_COMPONENTS = ("system:k3s-controller", "k3s-cloud-controller-manager")
_GROUPS = ("system:nodes", "system:bootstrappers", "system:serviceaccounts:kube-system")
_BREAK_GLASS = ("kubeadm:cluster-admins",)
_HEALTH = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OpenID Connect issuer whose tokens the API server is to verify by itself."""

    url: str
    audiences: tuple[str, ...]


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


def authentication_config(issuer: Issuer) -> str:
    """Return the AuthenticationConfiguration (apiserver.config.k8s.io/v1, Kubernetes >= 1.34).

    Raises:
        ConfigError: the issuer is not an https URL, or has no audience.
    """
    _check_issuer(issuer)
    audiences = "\n".join(f"    - {quoted(audience)}" for audience in issuer.audiences)
    return f"""\
# With this the API server verifies the tokens of the issuer by itself, and authsvc
# is asked about all other tokens. It takes the place of every --oidc-… flag:
#   --authentication-config=…/authentication-config.yaml
# Before Kubernetes 1.34, write apiserver.config.k8s.io/v1beta1.
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: {quoted(issuer.url)}
    audiences:
{audiences}
    audienceMatchPolicy: MatchAny
  claimMappings:
    # What the issuer never gives to someone else. An e-mail address is more
    # readable; then also require claims.email_verified (claimValidationRules).
    username:
      claim: sub
      prefix: "oidc:"
    groups:
      claim: groups
      prefix: "oidc:"
  userValidationRules:
  - expression: "!user.username.startsWith('system:')"
    message: "a name that begins with system: belongs to the cluster itself"
  - expression: "user.groups.all(group, !group.startsWith('system:'))"
    message: "a group that begins with system: belongs to the cluster itself"
"""


def quoted(text: str) -> str:
    """Return a string as YAML reads it back, whatever is in it (JSON strings are YAML)."""
    return json.dumps(text, ensure_ascii=False)


def _cel(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def _check_issuer(issuer: Issuer) -> None:
    parts = urlsplit(issuer.url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("--oidc-issuer", f"{issuer.url!r} is not an https URL without a query")
    if not issuer.audiences:
        raise ConfigError("--oidc-audience", "at least one is required with --oidc-issuer")
