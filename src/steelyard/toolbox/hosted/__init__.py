"""What runs on a customer's host: standard library alone, sent there at the start of a run, gone at its end."""
