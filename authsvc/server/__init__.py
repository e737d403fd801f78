"""gunicorn, or Granian, round the application: how connections, workers and signals are handled.

``listeners`` opens what both listen on. Of gunicorn, ``master`` is the main
process; ``settings`` turns a configuration into gunicorn's own, for `authsvc
serve` and for config/gunicorn.conf.py alike; ``worker`` and ``tls`` hold what its
ASGI worker has no setting for. ``granian``, ``granian_worker``, ``turns`` and
``probes`` are Granian's.
"""
