"""Ranks that train one population together, and a row that times them."""
