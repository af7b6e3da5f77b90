"""Parts of the scripts that pre-train and accept the tiny base model."""
