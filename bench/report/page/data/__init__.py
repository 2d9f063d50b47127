"""What the page shows, as records of plain text and numbers: nothing of a file's text is markup, and none of it has a direction."""
