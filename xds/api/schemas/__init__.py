"""The documents of the API: the only request and response models, one file per kind of object.

`...In` is what callers send, `...Out` what they get. Inputs are strict: an unknown field, a string where a number
belongs or a boolean among numbers is refused, because a guess here is a wrong weight in production.
"""
