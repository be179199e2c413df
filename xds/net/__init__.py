"""The one way out: every connection that the control plane opens on somebody else's word goes through this package."""
