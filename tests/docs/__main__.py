"""`python -m tests.docs` writes the generated tables of README.md and docs/ anew."""

from tests.docs.tables import pages, renew

for page in pages():
    text = page.read_text(encoding="utf-8")
    if renew(text) != text:
        page.write_text(renew(text), encoding="utf-8")
        print(page)
