"""Figures: arrays in, a matplotlib figure out, all in one house style; no torch."""
