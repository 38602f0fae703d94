import CSV
import Testing

@Suite("Reading CSV")
struct CSVParserTests {
  @Test("every way to cut a file in two or to feed it byte by byte gives the same records")
  func chunkBoundaries() throws {
    let text =
      "\u{FEFF}id,name\r\n1,\"a \"\"b\"\"\r\n, c\"\r2,é日\n\n  \r\n3,x\"y\r\n\"4\"z,5\n6,\"never\r\nclosed"
    let bytes = Array(text.utf8)
    let whole = try read(bytes)
    #expect(whole.map(\.line) == [1, 2, 4, 7, 8, 9])
    #expect(whole[1].fields == ["1", "a \"b\"\r\n, c"])
    #expect(whole.map { $0.fault == nil } == [true, true, true, false, false, false])
    for cut in bytes.indices { #expect(try read(bytes, chunks: [cut]) == whole) }
    #expect(try read(bytes, chunks: bytes.map { _ in 1 }) == whole)
  }

  @Test("chunk boundaries do not matter to random files, good or broken", arguments: 0..<200)
  func randomChunks(seed: UInt64) throws {
    var random = RandomFields(seed: seed)
    // Fields as they are, without quotes: most of these files have faults.
    let bytes = Array(random.table().map { $0.joined(separator: ",") }.joined(separator: "\n").utf8)
    let whole = try read(bytes)
    for cut in bytes.indices { #expect(try read(bytes, chunks: [cut]) == whole) }
  }

  @Test("LF, CRLF and CR end lines; the last need not be ended; empty and blank lines are skipped")
  func lineEnds() throws {
    for end in ["\n", "\r\n", "\r"] {
      let records = try read("a,b\(end)\(end)1,2\(end)  \(end)3,")
      #expect(records.map(\.fields) == [["a", "b"], ["1", "2"], ["3", ""]])
      #expect(records.map(\.line) == [1, 3, 5])
    }
    #expect(try read("").isEmpty)
    #expect(try read("\u{FEFF}").isEmpty)
  }

  @Test("a fault is named with the lines it takes, and the next line is read again")
  func faults() throws {
    let stray = try read("1,a\"b\n2,ok\n")
    #expect(stray[0].fault == "a quote is inside a field that does not begin with one")
    #expect(stray[1] == (try read("\n2,ok"))[0])

    let open = try read("1,\"a\nb\nc\"d\n2,ok\n")
    #expect(open[0].line == 1)
    #expect(
      open[0].fault
        == "a quote inside a quoted field is not doubled, or text follows the closing quote; lines 1 to 3 are not read"
    )
    #expect(open[1].line == 4)

    let never = try read("1,ok\n2,\"a\nb")
    #expect(never.map(\.line) == [1, 2])
    #expect(never[1].fault == "a quote is never closed; lines 2 to 3 are not read")
  }

  @Test("bytes that are no UTF-8 spoil their own record only, and are not shown")
  func notUTF8() throws {
    let records = try read(Array("1,a\n2,".utf8) + [0xC3, 0x28] + Array(",x\n3,c\n".utf8))
    #expect(records.map(\.fault) == [nil, "field 2 is not UTF-8", nil])
    #expect(records[2].fields == ["3", "c"])
  }

  @Test("a field of 1 MiB is read; a longer one is a fault, quoted or not, and reading goes on")
  func longestField() throws {
    let longest = String(repeating: "x", count: CSVParser.longestField)
    #expect(try read("1,\(longest)\n2,b\n").map(\.fields) == [["1", longest], ["2", "b"]])
    for field in ["\(longest)x", "\"\(longest)x\"", "\"\(longest)\(longest)"] {
      let records = try read("1,\(field)\n2,b\n")
      #expect(records.map(\.fault) == ["a field is longer than 1 MiB", nil])
      #expect(records.last?.fields == ["2", "b"])
    }
  }

  @Test("a record that never ends is a fault, not memory")
  func longestRecord() throws {
    let commas = String(repeating: ",", count: CSVParser.longestRecord * 2)
    #expect(try read("\(commas)\n1,2\n").map(\.fault) == ["the record is longer than 4 MiB", nil])
  }

  @Test("a record of commas is a fault, and the next is read")
  func mostFields() throws {
    let most = String(repeating: ",", count: CSVParser.mostFields - 1)
    let records = try read("\(most)\n\(most),\n1,2\n")
    #expect(
      records.map(\.fault) == [nil, "the record has more than \(CSVParser.mostFields) fields", nil])
    #expect(records.map(\.fields.count) == [CSVParser.mostFields, 0, 2])
  }

  @Test("a quote that is never closed costs memory up to the bound, not the rest of the file")
  func unclosedQuoteInLongFile() throws {
    let parser = CSVParser()
    var faults = 0
    var good = 0
    let count: (CSVRecord) -> Void = { if $0.fault == nil { good += 1 } else { faults += 1 } }
    try parser.feed(Array("0,\"open\n".utf8)[...], count)
    let lines = Array(String(repeating: "1,some more text\n", count: 1000).utf8)
    for _ in 0..<200 { try parser.feed(lines[...], count) }
    try parser.finish(count)
    #expect(faults == 1)
    // Each line is 17 bytes: those in the first MiB are the field's.
    #expect(200_000 - good == (CSVParser.longestField / 17) + 1)
  }

  @Test("what the callback throws comes out")
  func throwing() {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try CSVParser().feed(Array("a\n".utf8)[...]) { _ in throw Stop() }
    }
  }
}
