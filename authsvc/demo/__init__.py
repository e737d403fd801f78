"""``authsvc demo``: a stranger's first two minutes.

A folder as `authsvc init` writes it, with example people and a policy; the real
server on it; real reviews over mutual TLS; what came back, in words. Nothing of
the service is imported here but what writes the folder: the tour sees what an
API server sees.
"""
