import Foundation
import Input
import Testing

@Suite("Lines of files")
struct LineReaderTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func lines(_ path: String) throws -> [LineReader.Line] {
    let reader = try LineReader(path)
    var lines: [LineReader.Line] = []
    while let line = try reader.next() { lines.append(line) }
    #expect(try reader.next() == nil)
    return lines
  }

  private func texts(_ path: String) throws -> [String] {
    try lines(path).map {
      "\($0.number):" + String(decoding: $0.bytes ?? Data("?".utf8), as: UTF8.self)
    }
  }

  @Test("LF and CRLF, a byte order mark, blank lines, a last line without an end")
  func endings() throws {
    let path = try folder.write("a.ndjson", "\u{FEFF}{}\r\n\n \t\n[1]\n \"x\"")
    #expect(try texts(path) == ["1:{}", "4:[1]", "5: \"x\""])
    #expect(try texts(folder.write("empty", "")).isEmpty)
    #expect(try texts(folder.write("one", "a\n")) == ["1:a"])
  }

  @Test("plain and compressed files give the same lines, whatever their lengths", arguments: 1...5)
  func compressed(round: Int) throws {
    // Around the size of a chunk, where lines are put together from pieces.
    let lengths = (0..<12).map { ($0 * 7919 * round) % (ByteReader.longestChunk / 2 * round) + 1 }
    let texts = lengths.enumerated().map { place, length in
      String(repeating: Character(Unicode.Scalar(UInt8(97 + place))), count: length)
    }
    let whole = texts.joined(separator: "\n")
    let expected = texts.enumerated().map { "\($0 + 1):\($1)" }
    #expect(try self.texts(folder.write("plain", whole)) == expected)
    #expect(try self.texts(folder.write("whole.gz", gzip(whole, in: folder))) == expected)
  }

  @Test("gzip files of several members, as bulk exports and bgzip write them")
  func members() throws {
    let path = try folder.write("a.gz", gzip("1\n2", in: folder) + gzip("2\n3\n", in: folder))
    #expect(try texts(path) == ["1:1", "2:22", "3:3"])
  }

  @Test("a line of 16 MiB is read; a longer one is a fault of that line only")
  func longest() throws {
    let longest = Data(repeating: 0x78, count: LineReader.longestLine)
    let end = Data("\r\n".utf8)
    let path = try folder.write(
      "long", longest + end + longest + Data("x".utf8) + end + Data("3".utf8))
    let lines = try lines(path)
    #expect(lines.map(\.number) == [1, 2, 3])
    #expect(lines.map { $0.bytes?.count } == [LineReader.longestLine, nil, 1])
  }

  @Test("a gzip file cut anywhere is an error that names it, after the whole lines before the cut")
  func cutShort() throws {
    let text = (0..<20_000).map { "line \($0 &* 2_654_435_761 % 1_000_003)" }.joined(
      separator: "\n")
    let whole = try gzip(text, in: folder)
    let expected = text.split(separator: "\n").map(String.init)
    for count in [
      1, 2, 9, 10, 11, whole.count / 2, whole.count - 9, whole.count - 8, whole.count - 1,
    ] {
      let path = try folder.write("cut.gz", whole.prefix(count))
      var found: [String] = []
      let error = #expect(throws: InputError.self) {
        let reader = try LineReader(path)
        while let line = try reader.next() {
          found.append(String(decoding: line.bytes ?? Data(), as: UTF8.self))
        }
      }
      #expect(error?.description.contains(path) == true)
      #expect(found == Array(expected.prefix(found.count)))
      if count > 1 {
        #expect(
          error == .corrupt(path: path, offset: count, size: count),
          "cut at \(count) of \(whole.count)")
      }
    }
  }

  @Test("a damaged gzip file is an error")
  func damaged() throws {
    var bytes = try gzip((0..<5000).map { "\($0)\n" }.joined(), in: folder)
    bytes[bytes.count / 2] ^= 0xFF
    let path = try folder.write("bad.gz", bytes)
    #expect(throws: InputError.self) { try lines(path) }
  }

  @Test("a missing file, a folder, a plain file called .gz")
  func unreadable() throws {
    let missing = folder.path + "/none"
    #expect(throws: InputError.missing(path: missing)) { try LineReader(missing) }
    #expect(throws: InputError.isFolder(path: folder.path)) { try LineReader(folder.path) }
    for content in ["", "{}\n"] {
      let path = try folder.write("plain.gz", content)
      #expect(throws: InputError.notGzip(path: path)) { try LineReader(path) }
    }
  }

  @Test("progress counts bytes on disk up to the size of the file")
  func progress() throws {
    for path in [
      try folder.write("p", "a\nb\n"), try folder.write("p.gz", gzip("a\nb\n", in: folder)),
    ] {
      let reader = try LineReader(path)
      #expect(reader.totalBytes == (try Data(contentsOf: URL(fileURLWithPath: path)).count))
      while try reader.next() != nil { #expect(reader.bytesRead <= reader.totalBytes) }
      #expect(reader.bytesRead == reader.totalBytes)
    }
  }

  @Test("chunks are lent in order and put together give the file")
  func chunks() throws {
    let bytes = Data((0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    let file = try ByteReader(folder.write("b.gz", gzip(bytes, in: folder)))
    var all = Data()
    while try file.withNextChunk({ all.append(contentsOf: $0) }) != nil {}
    #expect(all == bytes)
  }
}
