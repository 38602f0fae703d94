import CSV
import TestSupport

/// Reads bytes as one file, cut into chunks of the given sizes, the last of them as long as it
/// takes.
func read(_ bytes: [UInt8], chunks: [Int] = []) throws -> [CSVRecord] {
  let parser = CSVParser()
  var records: [CSVRecord] = []
  var rest = bytes[...]
  for size in chunks {
    try parser.feed(rest.prefix(size)) { records.append($0) }
    rest = rest.dropFirst(size)
  }
  try parser.feed(rest) { records.append($0) }
  try parser.finish { records.append($0) }
  return records
}

func read(_ text: String) throws -> [CSVRecord] { try read(Array(text.utf8)) }

/// Fields that a parser can trip over, and some that it cannot.
struct RandomFields {
  var random: Seeded

  init(seed: UInt64) { random = Seeded(seed) }

  mutating func field() -> String {
    let parts = [
      "\"", ",", "\n", "\r", "\r\n", " ", "\t", "'", "=", "-", "a", "12", "é", "日本", "ਪੰਜਾਬ", "👩‍👩‍👧",
      "\u{FEFF}",
      "\u{0}", ";",
    ]
    return (0..<Int.random(in: 0...5, using: &random))
      .map { _ in parts.randomElement(using: &random) ?? "" }.joined()
  }

  mutating func table() -> [[String]] {
    (0..<Int.random(in: 1...6, using: &random)).map { _ in
      (0..<Int.random(in: 1...4, using: &random)).map { _ in field() }
    }
  }
}
