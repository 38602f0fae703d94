import CSV
import Foundation
import Testing

@Suite("Writing CSV")
struct CSVWriterTests {
  private func write(_ cells: [CSVCell], raw: Bool = false) -> String {
    String(decoding: CSVWriter(raw: raw).record(cells), as: UTF8.self)
  }

  @Test("what is written is read again", arguments: 0..<300)
  func roundTrip(seed: UInt64) throws {
    var random = RandomFields(seed: seed)
    let table = random.table()
    let writer = CSVWriter(raw: true)
    let bytes = table.flatMap { writer.record($0.map(CSVCell.text)) }
    // A byte order mark at the very beginning would be the file's.
    guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else { return }
    let records = try read(bytes)
    #expect(records.map(\.fields) == table)
    #expect(records.allSatisfy { $0.fault == nil })
  }

  @Test("bare where it can be, quoted where it must be, CRLF at the end")
  func quotes() {
    #expect(write([.text("a"), .integer(-3), .decimal("-51.2"), .empty]) == "a,-3,-51.2,\r\n")
    #expect(
      write([.text("a,b"), .text("say \"x\""), .text("1\n2"), .text(" a"), .text("b ")])
        == "\"a,b\",\"say \"\"x\"\"\",\"1\n2\",\" a\",\"b \"\r\n")
    #expect(write([.text("ਬਠਿੰਡਾ")]) == "ਬਠਿੰਡਾ\r\n")
  }

  @Test("a record of one empty field is not an empty line")
  func loneEmptyField() throws {
    #expect(write([.empty]) == "\"\"\r\n")
    #expect(try read(write([.empty])).map(\.fields) == [[""]])
  }

  @Test(
    "text that a spreadsheet would compute gets an apostrophe, unless raw",
    arguments: [
      "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "-", "\u{200B}=1",
      " \u{FEFF}\u{2060}+1", "\u{A0}@x", "\u{0}=1", "\u{E0020}=1", "﹦1", "−1", "\u{202E}=1",
    ])
  func formulas(text: String) throws {
    #expect(try read(write([.text("x"), .text(text)]))[0].fields == ["x", "'" + text])
    #expect(try read(write([.text("x"), .text(text)], raw: true))[0].fields == ["x", text])
  }

  @Test("numbers are not text: no apostrophe; and text cannot pass for one")
  func numbers() {
    #expect(write([.integer(-1), .decimal("-0.5")]) == "-1,-0.5\r\n")
    #expect(write([.decimal("=1"), .decimal("1."), .decimal("-")]) == "'=1,1.,'-\r\n")
  }
}
