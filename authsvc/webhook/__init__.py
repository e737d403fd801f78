"""HTTP: what a request must be before it is read, and what its answer looks like.

A review's handler is a plain function from bytes to a status and bytes;
``reviews`` holds the checks in front of it, once, and two thin carriers bring
requests to them, ``asgi`` and ``wsgi``, in front of Flask's routes for all else.
Nothing here decides anything about users.
"""
