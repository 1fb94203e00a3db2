"""Google's generateContent, in both directions: as its hosts speak it, and as clients of its SDK hear it."""
