"""What people read: tables, CSV and the front page's figures, made from the evidence files alone. Imports no torch."""
