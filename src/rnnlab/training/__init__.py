"""Assembly and training: the one place where data, model and Trainer meet."""
