/// Cuts a file into lines, numbered from 1, in constant memory.
struct LineReader: ~Copyable {
  /// A longer line is a fault of that line, not a demand for memory.
  static let longestLine = 8 << 20

  private let file: InputFile
  private var rest: [UInt8] = []
  private var number = 0
  private var isTooLong = false

  init(_ file: InputFile) { self.file = file }

  struct Line {
    let number: Int
    /// nil when the line is longer than ``LineReader/longestLine``.
    let bytes: ArraySlice<UInt8>?
  }

  /// The lines that the next bytes complete; nil at the end of the file. Empty lines are counted and left out.
  mutating func next() throws -> [Line]? {
    guard let chunk = try file.next() else {
      guard !rest.isEmpty || isTooLong else { return nil }
      var lines: [Line] = []
      end(rest[...], &lines)
      rest = []
      return lines
    }
    var lines: [Line] = []
    var start = chunk.startIndex
    while let end = chunk[start...].firstIndex(of: 0x0A) {
      if rest.isEmpty {
        self.end(chunk[start..<end], &lines)
      } else {
        rest += chunk[start..<end]
        self.end(rest[...], &lines)
        rest = []
      }
      start = end + 1
    }
    rest += chunk[start...]
    if rest.count > Self.longestLine {
      rest = []
      isTooLong = true
    }
    return lines
  }

  private mutating func end(_ bytes: ArraySlice<UInt8>, _ lines: inout [Line]) {
    number += 1
    defer { isTooLong = false }
    if isTooLong { return lines.append(Line(number: number, bytes: nil)) }
    var bytes = bytes.last == 0x0D ? bytes.dropLast() : bytes
    if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    if !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) {
      lines.append(Line(number: number, bytes: bytes))
    }
  }
}
