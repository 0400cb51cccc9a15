"""From numbers to what a network reads: scaling, calendars, windows of series. No torch."""
