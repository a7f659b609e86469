"""Pure values that the rooms of the project speak to one another."""
