"""Istio's VirtualService and DestinationRule as documents of ours, and a report of what did not map.

Pure: parsed YAML in, plain documents out, as `apply` takes them. It knows Istio's networking API and the names of our
fields; whether a document is good is the API's to say.
"""
