"""Tables: score rows -> paired statistics -> a table as text, with the paper's numbers beside."""
