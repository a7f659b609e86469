"""Tests of the app, driven by keys and mouse on real workspaces."""
