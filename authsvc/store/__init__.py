"""What the service remembers: sessions, revocations, failed attempts.

``protocol`` says what a store is; ``sqlite`` is the one for one machine, shared
by its workers; ``redis`` the one for several. Both pass one contract suite
(tests/contract/store.py). ``attempts`` counts in either, ``opening`` makes one
of its settings. What a session means is not known here: see ``authsvc.issuer``.
Times are seconds since the epoch and come from the caller.
"""
