"""What the peers of jax are made of; imports jax, so it is imported only where one of them is prepared."""
