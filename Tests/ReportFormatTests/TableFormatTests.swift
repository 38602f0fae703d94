import Testing

@testable import Reports

@Suite("Reports on a terminal")
struct TableFormatTests {
  private func lines(_ table: ReportTable, width: Int = 80, colour: Bool = false) throws -> [String]
  {
    try text(TableFormat(width: width, colour: colour), table)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test("each section is a table of its own, its numbers aligned, its facilities indented")
  func plain() throws {
    #expect(
      try lines(example(), width: 60) == [
        "An example, 2024Q2",
        "controlled below 140/90",
        "",
        "Registrations",
        "               Registered",
        "-------------------------",
        "Bathinda           12,345",
        "  PHC Goniana      12,345",
        "  ਬਠਿੰਡਾ                 0",
        "",
        "Control",
        "               Controlled  Controlled %",
        "---------------------------------------",
        "Bathinda               50          51.2",
        "  PHC Goniana          50          50.0",
        "  ਬਠਿੰਡਾ                 0             -",
        "",
      ])
  }

  @Test("no line is wider than the terminal; what does not fit goes on below", arguments: 40...130)
  func widths(width: Int) throws {
    let names = ["registered", "controlled", "controlled_rate"]
    let table = example(
      name: String(repeating: "नमस्ते 日本 👩‍👩‍👧 ", count: 9),
      sections: [.init("All", names + names + names)])
    for colour in [false, true] {
      let lines = try lines(table, width: width, colour: colour)
      #expect(lines.allSatisfy { $0.withoutColour.displayWidth <= width })
      #expect(lines.joined().count { $0 == "%" } == 3)
    }
    #expect(try lines(table, width: 60).contains("All (continued)"))
  }

  @Test("without colour there is no escape sequence, and nothing but names is outside ASCII")
  func ascii() throws {
    let plain = try text(
      TableFormat(width: 50, colour: false), example(name: String(repeating: "x", count: 99)))
    #expect(plain.contains("x..."))
    #expect(
      plain.replacing("ਬਠਿੰਡਾ", with: "").utf8.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 0x0A })
  }

  @Test("in colour, regions are bold and the first rate has a bar of its length")
  func colour() throws {
    let lines = try lines(example(), colour: true)
    #expect(
      lines.contains {
        $0.hasPrefix("\u{1B}[1mBathinda") && $0.hasSuffix("51.2\u{1B}[0m  \u{1B}[32m█████\u{1B}[0m")
      })
    #expect(
      lines.contains {
        $0.hasPrefix("  PHC Goniana") && $0.hasSuffix("50.0  \u{1B}[32m█████\u{1B}[0m")
      })
    #expect(lines.filter { $0.contains("█") }.count == 2)
  }

  @Test("a name cannot move the cursor, begin a line or reverse it")
  func printable() throws {
    let written = try text(
      TableFormat(width: 80, colour: false), example(name: "a\u{1B}[2Jb\nc\u{202E}d\r"))
    #expect(written.contains("a?[2Jb?c?d?"))
  }

  @Test(
    "widths",
    arguments: [
      ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("한국", 4), ("\u{1112}\u{1161}\u{11AB}", 2),
      ("ＡＢ", 4),
      ("👩‍👩‍👧", 2), ("🇮🇳", 2), ("❤️", 2), ("1", 1), ("ਬਠਿੰਡਾ", 5), ("a\u{200D}b", 2), ("…", 1), ("", 0),
    ])
  func displayWidth(text: String, width: Int) {
    #expect(text.displayWidth == width)
  }

  @Test("a name is cut between characters and filled up to the column", arguments: 0...12)
  func fitted(width: Int) {
    for ellipsis in ["…", "..."] {
      for name in ["日本語の名前", "abc", "नमस्ते दुनिया", "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧"] {
        #expect(name.fitted(to: width, ellipsis: ellipsis).displayWidth == width)
      }
    }
  }
}

extension String {
  /// Without the sequences that make bold and green.
  fileprivate var withoutColour: String {
    ["\u{1B}[1m", "\u{1B}[32m", "\u{1B}[0m"].reduce(self) { $0.replacing($1, with: "") }
  }
}
