"""What a finished run answers, from its folder alone."""
