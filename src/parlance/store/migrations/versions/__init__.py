"""One revision in each file. What once was released is never changed."""
