"""gunicorn round the application: how connections, workers and signals are handled.

``settings`` turns a configuration into gunicorn's own, for `authsvc serve` and
for config/gunicorn.conf.py alike; ``worker`` and ``tls`` hold what gunicorn's
ASGI worker has no setting for.
"""
