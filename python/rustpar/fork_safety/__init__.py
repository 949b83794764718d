"""Detection of what makes forking workers from the template unsafe, and of the lines that do it."""
