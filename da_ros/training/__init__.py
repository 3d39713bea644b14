"""How nano is made: generated scenes, losses, the training loop. Nothing but the cli imports it."""
