"""Language modelling: the next token from those before it."""

NAME = "language_model"
"""What ``task=`` calls it."""
