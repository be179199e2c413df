"""Stores behind `control.ports.Store`: where declarations survive the process."""
