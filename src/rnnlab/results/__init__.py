"""Many runs in one table: read from their folders, compared by what differs between them. No torch."""
