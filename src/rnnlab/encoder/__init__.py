"""Stacks of cells, and what the tasks share around them: word vectors, dropout, pooling, padding."""
