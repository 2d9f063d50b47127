"""Ranks: how much faster several are than one, and what larger worlds would be on paper."""
