"""A population on several devices and hosts: each trains a slice of its own, and what became of them is added up."""
