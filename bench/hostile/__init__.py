"""Evidence files as an enemy would write them, and whether what reads them refuses them or shows them safely."""
