"""Sentiment classification: a document's class from its words."""
