"""Forecasting: an encoder reads the steps up to now and a decoder says the steps that follow."""
