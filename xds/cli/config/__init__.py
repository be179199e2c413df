"""One file of settings for a control plane: overlays, variables with defaults, versions of its format."""
