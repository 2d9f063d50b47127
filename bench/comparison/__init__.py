"""Evidence files side by side: what several devices, machines or commits have in each cell, and what differs. Imports no torch."""
