"""The HTTP surface: JSON documents in, declarations and views out, and nothing that decides anything.

Rules live in `model`, order and durability in `control`. This package knows HTTP, the shapes of the documents and how
to say in words, with a pointer to the field, what is wrong with one.
"""
