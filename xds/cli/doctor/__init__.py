"""`doctor`: what keeps this place from working with its control plane, engine and Envoy, and how to mend each.

Each examination asks the real thing, changes nothing, and returns findings; none of them raises.
"""
