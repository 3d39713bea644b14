"""How nano is made: scenes, losses, the training loop. Nothing but the cli imports it."""
