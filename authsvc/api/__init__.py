"""Kubernetes' wire types, a module per API group: parse and render, nothing else.

Parsing is lenient where the API server may grow (unknown fields are ignored)
and strict in types. Answers are rendered in the apiVersion of the request.
No I/O, no decisions.
"""
