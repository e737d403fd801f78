"""The static pod that runs the service on a control-plane node, beside the API server.

It needs no cluster network and nothing that the API server would have to allow
first; so it is there when the API server starts, and when the cluster is ill.
"""

from __future__ import annotations

from authsvc import __version__
from authsvc.bootstrap.apiserver import quoted
from authsvc.bootstrap.site import LOOPBACK_HOST, Site

IMAGE = f"authsvc:{__version__}"


def static_pod(site: Site) -> str:
    """Return the manifest for the kubelet's folder of static pods.

    The pod runs as whom the folder belongs to, who alone can read the keys.
    """
    user, group = site.owner
    folder = quoted(str(site.node_folder))
    return f"""\
apiVersion: v1
kind: Pod
metadata:
  name: authsvc
  namespace: kube-system
  labels:
    app.kubernetes.io/name: authsvc
    tier: control-plane
spec:
  hostNetwork: true
  priorityClassName: system-node-critical
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  securityContext:
    # Whom {site.node_folder} belongs to.
    runAsUser: {user}
    runAsGroup: {group}
    runAsNonRoot: {"true" if user else "false"}
    seccompProfile:
      type: RuntimeDefault
  containers:
  - name: authsvc
    image: {IMAGE}
    imagePullPolicy: IfNotPresent
    args:
    - serve
    - --config
    - {quoted(site.on_node("authsvc.yaml"))}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    resources:
      requests:
        cpu: 100m
        memory: 256Mi
      limits:
        memory: 1Gi
    startupProbe:
      httpGet: {{scheme: HTTPS, host: {LOOPBACK_HOST}, port: {site.port}, path: /livez}}
      periodSeconds: 2
      failureThreshold: 30
    livenessProbe:
      httpGet: {{scheme: HTTPS, host: {LOOPBACK_HOST}, port: {site.port}, path: /livez}}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {{scheme: HTTPS, host: {LOOPBACK_HOST}, port: {site.port}, path: /readyz}}
      periodSeconds: 5
      timeoutSeconds: 5
    volumeMounts:
    - name: authsvc
      mountPath: {folder}
      readOnly: true
    - name: tmp
      mountPath: /tmp
  volumes:
  - name: authsvc
    hostPath:
      path: {folder}
      type: Directory
  - name: tmp
    emptyDir:
      medium: Memory
      sizeLimit: 64Mi
"""
