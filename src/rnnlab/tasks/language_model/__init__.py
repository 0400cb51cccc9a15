"""Language modelling: the next token from those before it."""
