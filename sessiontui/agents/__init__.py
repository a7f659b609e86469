"""The agents whose sessions we show: where they keep them, how to resume them."""
