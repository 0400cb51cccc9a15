"""Memory problems: what a network remembers of the beginning of a sequence at its end."""
