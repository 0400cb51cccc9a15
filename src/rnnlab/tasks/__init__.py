"""One folder a task: its LightningModule, data module, figures, answers, baselines and exports."""
