"""How values, text and reasons look in tables, whatever the tables are of. Imports no torch."""
