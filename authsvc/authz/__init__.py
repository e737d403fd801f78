"""Authorizers: who may do what. Nothing here speaks HTTP."""
