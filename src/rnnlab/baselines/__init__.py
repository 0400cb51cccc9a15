"""What a simple method reaches on the same split: the measure of what a network is worth."""
