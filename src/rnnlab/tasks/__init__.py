"""One folder a task: its LightningModule, its data module, its figures, its answers, its baselines, its exports."""
