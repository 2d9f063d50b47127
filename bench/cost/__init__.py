"""What a call costs by the number of policies, from rows of evidence: lines, where they cross, what to use. Imports no torch."""
