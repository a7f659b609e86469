"""What sessions are, told from the first and last bytes of each; pure: no input, no output."""
