"""Who is this? Token authenticators, each behind the protocols of ``interfaces``.

A provider knows nothing of its neighbours: chaining (``union``), what no
provider may say (``guard``), audiences and caching are wrapped round it.
"""
