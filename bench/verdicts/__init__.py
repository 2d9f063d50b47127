"""Is one version slower than another? Both run side by side in fresh processes, and a rule with a measured error rate decides."""
