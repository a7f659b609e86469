"""Believable sessions and live agents, to try the app without having any of one's own."""
