"""The agents whose sessions we show."""
