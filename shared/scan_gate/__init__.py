"""What the scan gate, a ring's own scan rules and later scans have in common: reports, their verdict, the listing."""
