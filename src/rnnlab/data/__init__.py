"""From ids to tensors: batches of documents, and streams for language models."""
