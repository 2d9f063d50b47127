"""What a device can do at most, measured, and how much of it a row comes to."""
