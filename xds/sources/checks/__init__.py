"""Checks that the control plane makes: who is asked when (pure), what the answers come to (pure), and the asking."""
