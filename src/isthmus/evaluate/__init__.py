"""What a model does to real pictures, beside what people use: figures, tables, reports."""
