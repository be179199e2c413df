"""`fairlead demo`: real Envoys move users from v1 to v2, step by step, and everything that is promised is counted.

The demo is a user of Fairlead like any other: it starts the same commands, declares with the same HTTP calls and knows
nothing that the API does not say. What it counts, it counts itself, from the answers its users get. The order to read
in: `story` (what happens), `calls` (the HTTP calls), `stage` (the programs), `ledger` and `verdict` (what is held
against it).
"""
