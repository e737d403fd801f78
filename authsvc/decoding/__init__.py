"""From what people write to values: YAML text to documents, documents to structs.

Strict, and every error at once, each with its place. What a document is about
is not known here: the configuration and the tests of policies are both read so.
"""
