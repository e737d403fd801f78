"""authsvc: the identity and permission service for Kubernetes."""

__version__ = "0.1.0"
