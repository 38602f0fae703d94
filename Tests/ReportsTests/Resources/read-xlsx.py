"""Prints a workbook's sheets as JSON, each a list of rows of cells: numbers as numbers, text as text. Only the standard library."""
import json, re, sys, zipfile
import xml.etree.ElementTree as xml

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def place(reference):
    letters = re.match("[A-Z]+", reference).group()
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


book = zipfile.ZipFile(sys.argv[1])
strings = []
if "xl/sharedStrings.xml" in book.namelist():
    for item in xml.fromstring(book.read("xl/sharedStrings.xml")):
        strings.append("".join(t.text or "" for t in item.iter(MAIN + "t")))
targets = {r.get("Id"): r.get("Target") for r in xml.fromstring(book.read("xl/_rels/workbook.xml.rels"))}
out = {"sheets": {}, "frozen": [], "charts": sum(n.startswith("xl/charts/chart") for n in book.namelist())}
for sheet in xml.fromstring(book.read("xl/workbook.xml")).find(MAIN + "sheets"):
    tree = xml.fromstring(book.read("xl/" + targets[sheet.get(LINK)]))
    if tree.find(f".//{MAIN}pane[@state='frozen']") is not None:
        out["frozen"].append(sheet.get("name"))
    rows = []
    for row in tree.find(MAIN + "sheetData"):
        cells = []
        for cell in row:
            at = place(cell.get("r"))
            cells += [None] * (at - len(cells))
            kind, value = cell.get("t"), cell.find(MAIN + "v")
            assert cell.find(MAIN + "f") is None, "a formula"
            if kind == "inlineStr":
                cells.append("".join(t.text or "" for t in cell.iter(MAIN + "t")))
            elif value is None:
                cells.append(None)
            elif kind == "s":
                cells.append(strings[int(value.text)])
            elif kind == "str":
                cells.append(value.text)
            else:
                cells.append(float(value.text))
        rows.append(cells)
    out["sheets"][sheet.get("name")] = rows
print(json.dumps(out))
