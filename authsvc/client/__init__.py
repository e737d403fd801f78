"""``kubectl-authsvc``: the kubectl plugin and the exec credential plugin.

It runs on every kubectl call, so it imports the standard library alone, and
nothing of the service it logs in to: it ships as one file, too. What is read
before a cached token is answered (``entry``, ``request``, ``sessions``,
``errors``) avoids even the larger modules of the standard library;
everything else is imported once something has to be done.

The way of a call: ``entry`` → ``request`` → ``sessions`` (a good token: done)
→ ``cli`` → ``login`` (one at a time: ``lock``) → ``flows`` → ``provider`` →
``https``.
"""
