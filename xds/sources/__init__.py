"""Where facts come from: each source turns a part of the outside world into changes. Sources do not know each other."""
