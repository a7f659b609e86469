"""What sessions are, told from the first and last bytes of each; pure, without any input or output."""
