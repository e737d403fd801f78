"""Tokens whose provider is asked about each one: OAuth 2.0 token introspection (RFC 7662)."""
