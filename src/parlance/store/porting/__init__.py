"""What is stored, as a file and back, and out of an older service's database. Knows no settings and no command line."""
