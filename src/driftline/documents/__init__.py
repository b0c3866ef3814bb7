"""Reports as documents: titles, tables and charts, written as HTML, Markdown, PNG or PDF."""
