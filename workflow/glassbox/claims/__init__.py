"""What the tables say of the claims that were stated beforehand."""
