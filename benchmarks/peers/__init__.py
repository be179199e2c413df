"""The programs that the fan-out benchmark sets side by side, and how they are built, started, driven and measured."""
