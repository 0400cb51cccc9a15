"""Networks: encoder, heads and the LightningModules of the tasks."""
