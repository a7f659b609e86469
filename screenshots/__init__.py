"""Pictures of the app, and what makes them."""
