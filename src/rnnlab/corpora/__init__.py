"""Where text comes from: named splits of documents with an optional label. No tokens, no tasks, no torch."""
