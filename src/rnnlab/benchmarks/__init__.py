"""How fast rnnlab trains and answers, beside what one would use instead of it."""
