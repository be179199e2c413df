"""Fairlead: a control plane for Envoy on hosts and virtual machines."""

__version__ = "0.1.0"
