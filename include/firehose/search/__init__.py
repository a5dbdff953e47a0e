"""Search in the texts of posts: the query's grammar (docs/search.md), and the SQL that answers it."""
