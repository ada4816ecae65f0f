"""What the line leaves outside: decision log, metrics, keys, the service log. Each module stands for itself."""
