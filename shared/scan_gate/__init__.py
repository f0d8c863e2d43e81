"""Code that the scan gate, scan rules of rings and later scans share: reports, verdicts and lists of findings."""
