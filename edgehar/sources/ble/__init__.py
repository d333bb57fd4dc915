"""Bluetooth LE as a transport: look for a sensor, connect, set it going, hand on what it notifies, connect again."""
