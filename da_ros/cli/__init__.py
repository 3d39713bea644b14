"""The command line, `da_ros ...`: one file per command, each with ``register(app)``."""
