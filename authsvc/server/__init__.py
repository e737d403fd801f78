"""gunicorn, or Granian, round the application: how connections, workers and signals are handled.

``run`` chooses the engine. ``common``, ``listeners`` (what both listen on) and
``shared_metrics`` serve either.

gunicorn: ``master`` is the main process; ``settings`` turns a configuration into
gunicorn's own, for `authsvc serve` and for config/gunicorn.conf.py alike; ``worker``,
``connections`` and ``tls`` hold what its ASGI worker has no setting for;
``gunicorn_log`` is its log in the form of ours.

Granian: ``granian`` is the main process, ``granian_worker`` a worker's way to the
application, ``granian_tls`` its certificates; ``leader_followers`` says which thread
takes a request, ``probes`` is the listener for probes, and ``signal_safe_event``
wakes the main process.
"""
