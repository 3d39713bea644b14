"""The networks, their weights, and what it takes to run them."""
