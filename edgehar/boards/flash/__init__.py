"""`edgehar flash`: from a USB port to a provisioned board that says hello."""
