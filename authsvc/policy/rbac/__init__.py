"""RBAC's objects into policy rows, and back where they fit.

``objects`` reads what kubectl prints, ``rules`` says what one PolicyRule means,
``importer`` writes the rows of all of it. The meaning of a rule is that of
Kubernetes' own code (pkg/apis/rbac/v1/evaluation_helpers.go), not of its
documentation; a policy imported from a cluster gives RBAC's answers.
"""
