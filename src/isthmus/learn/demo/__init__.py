"""`isthmus demo`: the whole way from nothing to a report page, on pictures that it draws itself."""
